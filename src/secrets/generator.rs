//! The generators, exactly as phalanx's. Randomness comes from the operating system.

use super::definition::{GenerateRule, OIDC_CLIENTS};
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rand::TryRng as _;
use rand::rngs::SysRng;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use zeroize::Zeroizing;

/// How a secret is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Generator {
    /// 32 random bytes in hexadecimal.
    Password,
    /// A token of Gafaelfawr: `gt-`, a key, a dot, a secret.
    GafaelfawrToken,
    /// 32 random bytes in padded, URL-safe base64.
    FernetKey,
    /// RSA 2048 in PEM.
    RsaPrivateKey,
    /// The bcrypt hash of another key of the same application.
    BcryptPasswordHash {
        /// The key.
        source: String,
    },
    /// When another key of the same application was set.
    Mtime {
        /// The key.
        source: String,
    },
    /// The OpenID Connect clients, from the static secrets.
    OidcClients,
}

/// A value could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a {what}: {message}")]
pub struct GeneratorError {
    /// What.
    what: &'static str,
    /// Why.
    message: String,
}

/// The cost of a hash that Argo CD reads: about two seconds.
const BCRYPT_COST: u32 = 15;

impl Generator {
    pub(super) fn from_rule(rule: GenerateRule) -> Self {
        let source = rule.source.unwrap_or_default();
        match rule.kind.as_str() {
            "password" => Self::Password,
            "gafaelfawr-token" => Self::GafaelfawrToken,
            "fernet-key" => Self::FernetKey,
            "rsa-private-key" => Self::RsaPrivateKey,
            "bcrypt-password-hash" => Self::BcryptPasswordHash { source },
            OIDC_CLIENTS => Self::OidcClients,
            // `Definition` lets nothing else through.
            _ => Self::Mtime { source },
        }
    }

    /// The key of the same application that it starts from.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::BcryptPasswordHash { source } | Self::Mtime { source } => Some(source),
            _ => None,
        }
    }

    /// Makes a new value. `source` is the value of the source key, `now` what an mtime says. The OpenID Connect clients
    /// are not made here but in [`super::texts`].
    pub fn generate(&self, source: Option<&SecretValue>, now: Timestamp) -> Result<SecretValue, GeneratorError> {
        match self {
            Self::Password => Ok(SecretValue::new(hex::encode(*random::<32>("password")?))),
            Self::GafaelfawrToken => {
                let (key, secret) = (random::<16>("Gafaelfawr token")?, random::<16>("Gafaelfawr token")?);
                let part = |bytes: &[u8]| Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
                Ok(SecretValue::new(format!("gt-{}.{}", *part(&*key), *part(&*secret))))
            }
            Self::FernetKey => Ok(SecretValue::new(URL_SAFE.encode(*random::<32>("Fernet key")?))),
            Self::RsaPrivateKey => rsa_private_key(),
            Self::BcryptPasswordHash { .. } => bcrypt_hash(source),
            Self::Mtime { .. } => Ok(SecretValue::new(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
            Self::OidcClients => Ok(SecretValue::new("[]")),
        }
    }
}

/// Whether `hash` is one of `plain`. Takes as long as making one.
pub fn hash_matches(plain: &SecretValue, hash: &SecretValue) -> bool {
    bcrypt::verify(plain.expose(), hash.expose()).unwrap_or(false)
}

fn random<const N: usize>(what: &'static str) -> Result<Zeroizing<[u8; N]>, GeneratorError> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(&mut *bytes).map_err(|error| GeneratorError { what, message: error.to_string() })?;
    Ok(bytes)
}

fn bcrypt_hash(source: Option<&SecretValue>) -> Result<SecretValue, GeneratorError> {
    let what = "bcrypt hash";
    let source = source.ok_or_else(|| GeneratorError { what, message: "there is no password to hash".into() })?;
    let salt = random::<16>(what)?;
    let hash = bcrypt::hash_with_salt(source.expose(), BCRYPT_COST, *salt)
        .map_err(|error| GeneratorError { what, message: error.to_string() })?;
    Ok(SecretValue::new(hash.format_for_version(bcrypt::Version::TwoB)))
}

fn rsa_private_key() -> Result<SecretValue, GeneratorError> {
    let failed = |message: String| GeneratorError { what: "RSA key", message };
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|error| failed(error.to_string()))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(error.to_string()))?;
    Ok(SecretValue::new(pem.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(generator: &Generator, source: Option<&str>) -> String {
        let source = source.map(SecretValue::new);
        generator.generate(source.as_ref(), Timestamp::UNIX_EPOCH).unwrap().expose().to_owned()
    }

    #[test]
    fn each_generator_writes_phalanxs_form() {
        let password = made(&Generator::Password, None);
        assert!(password.len() == 64 && password.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)));
        let token = made(&Generator::GafaelfawrToken, None);
        let (key, secret) = token.strip_prefix("gt-").unwrap().split_once('.').unwrap();
        assert_eq!((token.len(), key.len(), secret.len()), (48, 22, 22));
        let fernet = made(&Generator::FernetKey, None);
        assert!(fernet.len() == 44 && fernet.ends_with('=') && URL_SAFE.decode(&fernet).unwrap().len() == 32);
        let rsa = made(&Generator::RsaPrivateKey, None);
        assert!(rsa.starts_with("-----BEGIN PRIVATE KEY-----\n") && rsa.ends_with("-----END PRIVATE KEY-----\n"));
        assert!((1690..1720).contains(&rsa.len()), "{}", rsa.len());
        assert_eq!(made(&Generator::Mtime { source: "p".into() }, Some("x")), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_hash_is_bcrypt_2b_at_cost_15_and_matches_its_password_only() {
        let generator = Generator::BcryptPasswordHash { source: "p".into() };
        let hash = made(&generator, Some("correct horse"));
        assert!(hash.starts_with("$2b$15$") && hash.len() == 60, "{hash}");
        assert!(hash_matches(&SecretValue::new("correct horse"), &SecretValue::new(hash.as_str())));
        assert!(!hash_matches(&SecretValue::new("wrong"), &SecretValue::new(hash)));
        assert!(!hash_matches(&SecretValue::new("x"), &SecretValue::new("no hash")));
        assert!(generator.generate(None, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn two_values_are_never_the_same() {
        for generator in [Generator::Password, Generator::GafaelfawrToken, Generator::FernetKey] {
            assert_ne!(made(&generator, None), made(&generator, None));
        }
    }
}
