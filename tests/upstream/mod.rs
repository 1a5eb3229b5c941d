//! What lies beside this repository for tests: upstream's configuration as data, and what upstream's own code said of it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a failing helper is a failing test")]

use rsp_install::phalanx::Checkout;
use rsp_install::phalanx::tree::Directory;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file or folder of `../shared`; nothing, and a line that says so, where it is not at hand.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: ../shared/{name} is not at hand");
    None
}

/// Upstream's configuration as a checkout.
pub(crate) fn upstream() -> Option<Checkout> {
    shared("phalanx-data").map(|root| Checkout::open(Arc::new(Directory::new(root))).unwrap())
}

/// What upstream's own code said of twelve environments.
pub(crate) fn facts() -> Option<Map<String, Value>> {
    let facts: Map<String, Value> =
        serde_json::from_slice(&std::fs::read(shared("phalanx-facts.json")?).unwrap()).unwrap();
    assert_eq!(facts.len(), 12);
    Some(facts)
}
