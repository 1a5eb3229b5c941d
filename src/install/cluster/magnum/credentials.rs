//! The client certificate and the kubeconfig: made, kept, judged.
//!
//! The key never leaves this process but into the kubeconfig that the file asks for (mode 0600). The kubeconfig carries
//! its certificates inside, so that it can be moved; one with certificates beside it is what `cluster.existing` takes.

use super::error::MagnumError;
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::config::Kubeconfig;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use x509_parser::pem::parse_x509_pem;

/// Renewed this long before the end, or in the last fifth of a shorter life.
const MARGIN: Duration = Duration::from_hours(30 * 24);

/// A key and a request for a certificate.
pub struct SigningRequest {
    /// The key, PEM.
    pub key: SecretValue,
    /// The request, PEM.
    pub request: String,
}

/// Who the certificate says we are: the same as `openstack coe cluster config` gets.
const ORGANISATION: &str = "system:masters";
const NAME: &str = "admin";

/// Makes a key and asks for a certificate for it.
pub fn signing_request(cluster: &str) -> Result<SigningRequest, MagnumError> {
    let wrong = |error: rcgen::Error| MagnumError::Certificate { name: cluster.to_owned(), why: error.to_string() };
    let key = KeyPair::generate().map_err(wrong)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
    parameters.distinguished_name.push(DnType::CommonName, NAME);
    let request = parameters.serialize_request(&key).and_then(|request| request.pem()).map_err(wrong)?;
    Ok(SigningRequest { key: SecretValue::new(key.serialize_pem()), request })
}

/// A kubeconfig for one cluster, as text.
pub fn kubeconfig(cluster: &str, server: &str, ca: &str, certificate: &str, key: &SecretValue) -> SecretValue {
    let encoded = |text: &str| STANDARD.encode(text.as_bytes());
    let user = format!("{NAME}@{cluster}");
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": cluster,
                       "cluster": { "server": server, "certificate-authority-data": encoded(ca) } }],
        "users": [{ "name": user, "user": { "client-certificate-data": encoded(certificate),
                                            "client-key-data": encoded(key.expose()) } }],
        "contexts": [{ "name": cluster, "context": { "cluster": cluster, "user": user } }],
        "current-context": cluster,
    });
    // YAML, because people open this file.
    SecretValue::new(serde_yaml::to_string(&document).unwrap_or_else(|_| document.to_string()))
}

/// What a kubeconfig that was kept is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It leads to the cluster and is valid for a good while.
    Valid,
    /// It must be made anew, for this reason.
    Stale(String),
}

/// Judges a kubeconfig against what Magnum says of the cluster.
pub fn judge(text: &SecretValue, server: &str, ca: &str, now: Timestamp) -> Kept {
    judged(text, server, ca, now).err().map_or(Kept::Valid, Kept::Stale)
}

fn judged(text: &SecretValue, server: &str, ca: &str, now: Timestamp) -> Result<(), String> {
    let config = Kubeconfig::from_yaml(text.expose()).map_err(|_| "it is no kubeconfig".to_owned())?;
    let context = config
        .current_context
        .as_deref()
        .and_then(|current| config.contexts.iter().find(|named| named.name == current)?.context.as_ref());
    let context = context.ok_or("it has no current context")?;
    let cluster =
        config.clusters.iter().find(|named| named.name == context.cluster).and_then(|named| named.cluster.as_ref());
    let cluster = cluster.ok_or("its context names no cluster")?;
    if cluster.server.as_deref().map(|url| url.trim_end_matches('/')) != Some(server.trim_end_matches('/')) {
        return Err(format!("it leads to {} instead of {server}", cluster.server.as_deref().unwrap_or("nowhere")));
    }
    let kept_ca = cluster.certificate_authority_data.as_deref().and_then(decoded);
    if kept_ca.as_deref().map(str::trim) != Some(ca.trim()) {
        return Err("the cluster's CA has changed".to_owned());
    }
    let user = config.auth_infos.iter().find(|named| Some(&named.name) == context.user.as_ref());
    let user = user.and_then(|named| named.auth_info.as_ref()).ok_or("its context names no user")?;
    if user.client_key_data.as_ref().is_none_or(|key| key.expose_secret().is_empty()) {
        return Err("it holds no key".to_owned());
    }
    let certificate = user.client_certificate_data.as_deref().and_then(decoded).ok_or("it holds no certificate")?;
    let (begin, end) = validity(&certificate).ok_or("its certificate cannot be read")?;
    let life = Duration::from_secs(u64::try_from(end - begin).unwrap_or(0));
    let left = Duration::from_secs(u64::try_from(end - now.as_second()).unwrap_or(0));
    if left < MARGIN.min(life / 5) {
        return Err(format!("its certificate is valid for {} more days only", left.as_secs() / 86400));
    }
    Ok(())
}

fn decoded(data: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// When a certificate begins and ends, seconds since 1970.
fn validity(pem: &str) -> Option<(i64, i64)> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = block.parse_x509().ok()?;
    Some((certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp()))
}

/// What the file holds; none when it is not there.
pub fn read(path: &Path) -> Result<Option<SecretValue>, MagnumError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(SecretValue::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(MagnumError::Kubeconfig { path: path.to_owned(), source }),
    }
}

/// Keeps a kubeconfig: whole or not at all, readable by its owner only from its first moment.
pub fn keep(path: &Path, text: &SecretValue) -> Result<(), MagnumError> {
    let wrong = |source: std::io::Error| MagnumError::Kubeconfig { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    file.write_all(text.expose().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(wrong)?;
    file.persist(path).map(drop).map_err(|error| wrong(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, IsCa, Issuer};
    use std::os::unix::fs::PermissionsExt as _;

    /// A CA, and a certificate signed by it for this many days from now.
    fn signed(days: i64) -> (String, String, SecretValue) {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        let now = std::time::SystemTime::now();
        parameters.not_before = (now - Duration::from_hours(24 * 365)).into();
        parameters.not_after = (now + Duration::from_hours(24 * u64::try_from(days).unwrap())).into();
        let pem = parameters.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap().pem();
        (ca_pem, pem, SecretValue::new(key.serialize_pem()))
    }

    #[test]
    fn a_kubeconfig_is_judged_by_its_server_ca_and_remaining_life() {
        let server = "https://10.0.0.5:6443";
        let (ca, certificate, key) = signed(100);
        let text = kubeconfig("stv", server, &ca, &certificate, &key);
        assert_eq!(judge(&text, server, &ca, Timestamp::now()), Kept::Valid);
        let elsewhere = judge(&text, "https://10.0.0.6:6443", &ca, Timestamp::now());
        assert!(matches!(elsewhere, Kept::Stale(why) if why.contains("instead of")));
        let rotated = judge(&text, server, &signed(1).0, Timestamp::now());
        assert_eq!(rotated, Kept::Stale("the cluster's CA has changed".into()));
        let (ca, certificate, key) = signed(10);
        let ending = kubeconfig("stv", server, &ca, &certificate, &key);
        assert!(matches!(judge(&ending, server, &ca, Timestamp::now()), Kept::Stale(why) if why.contains("more days")));
        assert!(matches!(judge(&SecretValue::new("x: y"), server, &ca, Timestamp::now()), Kept::Stale(_)));
    }

    #[test]
    fn a_signing_request_asks_for_the_administrator() {
        let made = signing_request("stv").unwrap();
        let (_, block) = parse_x509_pem(made.request.as_bytes()).unwrap();
        assert_eq!(block.label, "CERTIFICATE REQUEST");
        let text = String::from_utf8_lossy(&block.contents);
        assert!(text.contains("system:masters") && text.contains("admin"));
    }

    #[test]
    fn a_kept_kubeconfig_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kubeconfig");
        assert_eq!(read(&path).unwrap(), None);
        keep(&path, &SecretValue::new("one")).unwrap();
        keep(&path, &SecretValue::new("two")).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().expose(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
