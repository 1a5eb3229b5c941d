//! What phalanx wants in Vault: definitions, conditions, generators, resolution, audit, plan.
//!
//! The rules are pure: they take a checkout, what Vault holds and what was given, and say what Vault should hold. Only
//! [`Store`] and [`Session`] speak to Vault. The rules follow phalanx's own tool to the byte, because that tool audits
//! the result; they differ where it would lose or break something:
//!
//! - a password's hash and its mtime are renewed when they no longer fit the password;
//! - OpenID Connect clients and the pull secret are never emptied or deleted because a file does not name them;
//! - a condition that leads through a text or number is a mistake, not a crash.

mod audit;
mod certificate;
mod condition;
mod copy;
mod definition;
mod error;
mod generator;
mod materialise;
mod name;
mod plan;
mod policy;
mod required;
mod resolution;
mod session;
mod static_file;
mod statics;
mod store;
mod template;
mod texts;
mod verified;

pub use audit::{Audit, audit};
pub use certificate::check_certificate;
pub use copy::{CopyPlan, Rename, copy};
pub use error::{SecretsError, Unresolvable};
pub use generator::{Generator, GeneratorError, hash_matches};
pub use materialise::materialise;
pub use name::SecretName;
pub use plan::{Change, ChangeKind, Plan, Write, plan};
pub use policy::Policy;
pub use required::{Class, RequiredSecret, required};
pub use resolution::{Contents, Request, Resolution, Wanted, resolve};
pub use session::{Means, Options, Session};
pub use static_file::StaticFile;
pub use statics::{OidcClient, Registry, StaticSecrets, StaticSource};
pub use store::{Applied, Store};
pub use template::template;
pub use verified::VerifiedHashes;

/// The pull secret's place beside the applications.
pub const PULL_SECRET: &str = "pull-secret";
/// The pull secret's only key.
pub const DOCKER_CONFIG: &str = ".dockerconfigjson";
