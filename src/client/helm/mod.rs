//! Helm as a renderer: `helm template`, nothing else. No release is ever made.
//!
//! Promises: the binary's version is checked, the target's Kubernetes version is always passed (a helm built from its
//! module otherwise believes in v1.20), a render is kept under the hash of everything that went into it, and no child gets
//! a secret. Leaves the applying to [`crate::client::kubernetes`].

mod binary;
mod cache;
mod error;
mod hook;
mod manifest;
mod render;

pub use binary::Helm;
pub use error::HelmError;
pub use hook::{Hook, HookEvent};
pub use manifest::Manifests;
pub use render::{Release, Target};
