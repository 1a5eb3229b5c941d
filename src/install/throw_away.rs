//! Static secrets of a sandbox: nobody need bring real ones to a control plane that is thrown away.
//!
//! Only what is missing is filled in, so that real ones can be given, and so that the next run changes nothing.

use crate::secret_value::SecretValue;
use crate::secrets::{Registry, Session};

/// Fills in what the sandbox's Vault lacks.
pub(super) fn fill_in(session: &mut Session) {
    for name in session.resolution().missing_static {
        session.give(name, SecretValue::new(hex::encode(rand::random::<[u8; 16]>())));
    }
    if session.lacks_pull_secret() {
        let password = SecretValue::new(hex::encode(rand::random::<[u8; 16]>()));
        session.give_registry("registry.invalid", Registry { username: SecretValue::new("nobody"), password });
    }
}
