//! A Magnum cluster: found or made, resized, opened, trusted, retired.
//!
//! Promises: our mark is in the create call and is looked for before creating; names are never trusted; a cluster is ready
//! when Magnum and its own API server both say so; a difference that Magnum cannot change is named, not hidden.
//! The files without `async` are pure and hold the rules.

pub mod create;
pub mod credentials;
pub mod difference;
pub mod error;
pub mod home;
pub mod identify;
pub mod node_ports;
pub mod patience;
pub mod ports;
pub mod preflight;
pub mod quota;
pub mod retire;
pub mod step;
pub mod wait;
pub mod wanted;
pub mod witness;

pub use error::MagnumError;
pub use home::Magnum;
pub use step::MagnumStep;
