//! A phalanx checkout read as data: environments, applications, projects, charts, values.
//!
//! Reads one commit of a Git repository (or, in tests, a directory) through [`Tree`](tree::Tree); needs no Git binary, no
//! Helm and no network. Reads the files of the selected environment only, so that a mistake in somebody else's
//! environment does not break this one. Renders nothing and judges nothing: that is for the rooms above.

mod application;
mod checkout;
mod environment;
mod error;
mod layout;
pub mod tree;
mod vault_prefix;
pub mod yaml;

pub use application::{Application, Chart, Dependency, destination_namespace};
pub use checkout::Checkout;
pub use environment::{OnePassword, PhalanxEnvironment};
pub use error::PhalanxError;
pub use layout::Layout;
pub use vault_prefix::VaultPrefix;
