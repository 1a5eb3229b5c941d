//! Text that must never be seen.
//!
//! [`SecretValue`] has no `Display`, no `Serialize`, and a `Debug` without the text; its memory is zeroised when it is
//! dropped. Whoever needs the text calls [`SecretValue::expose`], so that every such place can be found by that name.
//! What people see instead is a keyed [`fingerprint`](SecretValue::fingerprint).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// A secret text.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

/// The key of the fingerprints: new in every process, so that a fingerprint that was written down helps nobody to guess.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

impl SecretValue {
    /// Takes over the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Eight hex digits that are equal for equal texts within one run, and tell nothing else.
    pub fn fingerprint(&self) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*KEY) else { return String::from("--------") };
        mac.update(self.0.as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..4])
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl<'de> serde::Deserialize<'de> for SecretValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_fingerprint_shows_the_text() {
        let value = SecretValue::new("canary-4711");
        assert_eq!(format!("{value:?}"), "SecretValue(..)");
        assert!(!value.fingerprint().contains("canary"));
        assert_eq!(value.fingerprint(), SecretValue::new("canary-4711").fingerprint());
        assert_ne!(value.fingerprint(), SecretValue::new("canary-4712").fingerprint());
    }
}
