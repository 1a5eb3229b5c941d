//! Static secrets of a sandbox: nobody need bring real ones to a control plane that is thrown away.
//!
//! Only what is missing is filled in, so that real ones can be given, and so that the next run changes nothing. The values
//! come from the sandbox's own token: a run that goes on after a killed one fills in the same, so that what was copied
//! from a secret before that was written itself is right.

use crate::secret_value::SecretValue;
use crate::secrets::{Registry, Session};
use sha2::{Digest as _, Sha256};

/// Fills in what the sandbox's Vault lacks. `token` is known to this sandbox alone.
pub(super) fn fill_in(session: &mut Session, token: &SecretValue) {
    for name in session.resolution().missing_static {
        let value = value(token, &name.to_string());
        session.give(name, value);
    }
    if session.lacks_pull_secret() {
        let password = value(token, "pull-secret");
        session.give_registry("registry.invalid", Registry { username: SecretValue::new("nobody"), password });
    }
}

/// Always the same for a sandbox and a name, and nothing to anybody without the token.
fn value(token: &SecretValue, name: &str) -> SecretValue {
    let digest = Sha256::new().chain_update(token.expose()).chain_update([0]).chain_update(name).finalize();
    SecretValue::new(hex::encode(&digest[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_in_every_run_and_another_for_every_name_and_sandbox() {
        let of = |token: &str, name: &str| value(&SecretValue::new(token), name).expose().to_owned();
        assert_eq!(of("token", "mobu/a"), of("token", "mobu/a"));
        assert_eq!(of("token", "mobu/a").len(), 32);
        assert_ne!(of("token", "mobu/a"), of("token", "mobu/b"));
        assert_ne!(of("token", "mobu/a"), of("another", "mobu/a"));
    }
}
