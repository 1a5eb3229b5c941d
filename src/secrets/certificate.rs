//! A commercial certificate that is given for the ingress: would browsers take it, and does the key belong to it?

use super::error::SecretsError;
use super::name::SecretName;
use super::statics::StaticSecrets;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Days that a certificate must still be good for.
const MARGIN_DAYS: i64 = 14;

/// Checks `ingress-nginx/tls.crt` and `tls.key` where they were given: the key matches, the chain is complete and in
/// order, it covers the host, and more than 14 days are left.
pub fn check_certificate(statics: &StaticSecrets, fqdn: &str, now: Timestamp) -> Result<(), SecretsError> {
    let name = |key: &str| SecretName::new("ingress-nginx", key);
    let Some(chain) = statics.values.get(&name("tls.crt")) else { return Ok(()) };
    let wrong = |message: String| SecretsError::Certificate { name: name("tls.crt"), message };
    let ders = CertificateDer::pem_slice_iter(chain.expose().as_bytes()).collect::<Result<Vec<_>, _>>();
    let ders = ders.map_err(|error| wrong(format!("it is no PEM: {error}")))?;
    let certificates = ders.iter().map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate));
    let certificates =
        certificates.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    let Some(leaf) = certificates.first() else { return Err(wrong("it holds no certificate".into())) };
    covers(leaf, fqdn).map_err(wrong)?;
    for certificate in &certificates {
        lasts(certificate, now).map_err(wrong)?;
    }
    complete(&certificates).map_err(wrong)?;
    let Some(key) = statics.values.get(&name("tls.key")) else { return Ok(()) };
    key_matches(key.expose(), leaf).map_err(|message| SecretsError::Certificate { name: name("tls.key"), message })
}

fn covers(leaf: &X509Certificate<'_>, fqdn: &str) -> Result<(), String> {
    let names: Vec<&str> = match leaf.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().filter_map(dns_name).collect(),
        _ => Vec::new(),
    };
    let fits = |name: &&str| match name.strip_prefix("*.") {
        Some(domain) => fqdn.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(fqdn),
    };
    if names.iter().any(fits) {
        return Ok(());
    }
    Err(format!("it does not cover {fqdn}; its names are: {}", names.join(", ")))
}

fn dns_name<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    match name {
        GeneralName::DNSName(name) => Some(name),
        _ => None,
    }
}

fn lasts(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(), String> {
    let ends = certificate.validity().not_after.timestamp();
    let begins = certificate.validity().not_before.timestamp();
    let days = (ends - now.as_second()) / 86_400;
    if begins > now.as_second() {
        return Err(format!("{} is not valid yet", certificate.subject()));
    }
    if ends - now.as_second() <= MARGIN_DAYS * 86_400 {
        return Err(format!("{} ends in {days} days; more than {MARGIN_DAYS} must be left", certificate.subject()));
    }
    Ok(())
}

/// Each certificate is signed by the next, and the last is either a root or one that a root may have signed: a single
/// certificate that somebody else signed lacks its intermediate.
fn complete(chain: &[X509Certificate<'_>]) -> Result<(), String> {
    for pair in chain.windows(2) {
        let [lower, upper] = pair else { continue };
        if lower.issuer() != upper.subject() || lower.verify_signature(Some(upper.public_key())).is_err() {
            return Err(format!("the chain is not in order: {} did not sign {}", upper.subject(), lower.subject()));
        }
    }
    match chain {
        [only] if only.issuer() != only.subject() => {
            Err(format!("the chain is not complete: the certificate of {} is missing", only.issuer()))
        }
        _ => Ok(()),
    }
}

fn key_matches(pem: &str, leaf: &X509Certificate<'_>) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("it is no PEM key: {error}"))?;
    let key =
        rustls::crypto::ring::sign::any_supported_type(&key).map_err(|error| format!("it cannot be used: {error}"))?;
    match key.public_key() {
        Some(public) if public.as_ref() == leaf.public_key().raw => Ok(()),
        _ => Err("it does not belong to the certificate in tls.crt".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_value::SecretValue;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    struct Pki {
        issuer: CertifiedIssuer<'static, KeyPair>,
    }

    impl Pki {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, "The Issuer");
            Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
        }

        /// Certificate and key for a name, ending in so many days from the epoch.
        fn leaf(&self, name: &str, days: i64) -> (String, String) {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(2026, 1, 1)
                + std::time::Duration::from_secs(86_400 * u64::try_from(days).unwrap());
            (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
        }
    }

    fn check(certificate: &str, key: &str) -> Result<(), String> {
        let mut statics = StaticSecrets::default();
        statics.values.insert(SecretName::new("ingress-nginx", "tls.crt"), SecretValue::new(certificate));
        statics.values.insert(SecretName::new("ingress-nginx", "tls.key"), SecretValue::new(key));
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        check_certificate(&statics, "rsp.example.org", now).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_chain_with_its_key_is_taken() {
        let pki = Pki::new();
        for name in ["rsp.example.org", "*.example.org"] {
            let (leaf, key) = pki.leaf(name, 90);
            assert_eq!(check(&(leaf + &pki.issuer.pem()), &key), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        let pki = Pki::new();
        let (leaf, key) = pki.leaf("rsp.example.org", 90);
        let whole = format!("{leaf}{}", pki.issuer.pem());
        let (_, other_key) = pki.leaf("rsp.example.org", 90);
        assert!(check(&whole, &other_key).unwrap_err().contains("tls.key: it does not belong"));
        assert!(check(&leaf, &key).unwrap_err().contains("the chain is not complete"));
        assert!(check(&format!("{leaf}{}", Pki::new().issuer.pem()), &key).unwrap_err().contains("not in order"));
        let (short, key) = pki.leaf("rsp.example.org", 14);
        assert!(check(&(short + &pki.issuer.pem()), &key).unwrap_err().contains("ends in 14 days"));
        let (foreign, key) = pki.leaf("*.elsewhere.org", 90);
        assert!(check(&(foreign + &pki.issuer.pem()), &key).unwrap_err().contains("does not cover rsp.example.org"));
        assert!(check("no pem", &key).unwrap_err().contains("it holds no certificate"));
        assert!(check(&whole, "no pem").unwrap_err().contains("it is no PEM key"));
    }
}
