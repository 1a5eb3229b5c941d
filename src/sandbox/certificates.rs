//! The certificates and keys of the control plane; each made once, kept in the state folder.
//!
//! Every client has its own name, so that the audit log tells who wrote what.

use super::SandboxError;
use super::folder::Folder;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// The first address of the service network, at which pods find the API server.
const API_SERVER_IN_CLUSTER: &str = "10.0.0.1";

/// Who talks to the API server: file name, common name, organisation.
pub(super) const CLIENTS: [(&str, &str, Option<&str>); 6] = [
    ("admin", "admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    ("kwok", "sandbox:kwok", Some("system:masters")),
    ("argocd", "sandbox:argocd", Some("system:masters")),
    ("stand-ins", "sandbox:stand-ins", Some("system:masters")),
];

/// A certificate authority that signs.
pub(super) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// The sandbox's authority, with everything that it signed for the control plane; what is not there is made. An
    /// authority that somebody put there is taken: a control plane can stand behind a cluster whose CA is another's.
    pub(super) fn of(folder: &Folder) -> Result<Self, SandboxError> {
        let found = (folder.read("certificates/ca.crt")?, folder.read("certificates/ca.key")?);
        let authority = if let (Some(certificate), Some(key)) = found {
            Self::kept(&certificate, &key)?
        } else {
            let (authority, certificate, key) = Self::fresh()?;
            folder.write("certificates/ca.key", key.as_bytes())?;
            folder.write("certificates/ca.crt", certificate.as_bytes())?;
            authority
        };
        for name in ["server", "etcd-client"] {
            sign(folder, name, || authority.server(name))?;
        }
        for (file, name, organisation) in CLIENTS {
            sign(folder, file, || authority.client(name, organisation))?;
        }
        if folder.read("certificates/service-accounts.pub")?.is_none() {
            let accounts = key_pair("service accounts")?;
            folder.write("certificates/service-accounts.key", accounts.serialize_pem().as_bytes())?;
            folder.write("certificates/service-accounts.pub", accounts.public_key_pem().as_bytes())?;
        }
        Ok(authority)
    }

    fn kept(certificate: &str, key: &str) -> Result<Self, SandboxError> {
        let subject = || failed("the certificate authority");
        let key = KeyPair::from_pem(key).map_err(subject())?;
        Ok(Self(Issuer::from_ca_cert_pem(certificate, key).map_err(subject())?))
    }

    fn fresh() -> Result<(Self, String, String), SandboxError> {
        let subject = "the certificate authority";
        let mut params = named("rsp-install sandbox", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let key = key_pair(subject)?;
        let certificate = params.self_signed(&key).map_err(failed(subject))?;
        let key_pem = key.serialize_pem();
        Ok((Self(Issuer::new(params, key)), certificate.pem(), key_pem))
    }

    /// A certificate for names, as PEM: certificate and key.
    pub(super) fn issue(&self, mut params: CertificateParams, subject: &str) -> Result<(String, String), SandboxError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = key_pair(subject)?;
        let certificate = params.signed_by(&key, &self.0).map_err(failed(subject))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// For the API server and etcd; etcd calls itself, so it is a client as well.
    fn server(&self, name: &str) -> Result<(String, String), SandboxError> {
        let names = [
            "127.0.0.1",
            API_SERVER_IN_CLUSTER,
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let names: Vec<String> = names.map(String::from).into();
        let mut params = CertificateParams::new(names).map_err(failed(name))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(valid_for_years(params), name)
    }

    fn client(&self, name: &str, organisation: Option<&str>) -> Result<(String, String), SandboxError> {
        let mut params = named(name, organisation);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, name)
    }
}

/// Makes a certificate that is not there yet. It is written after its key, so its presence says that both are there.
fn sign(
    folder: &Folder,
    file: &str,
    make: impl FnOnce() -> Result<(String, String), SandboxError>,
) -> Result<(), SandboxError> {
    if folder.read(&format!("certificates/{file}.crt"))?.is_some() {
        return Ok(());
    }
    let (certificate, key) = make()?;
    folder.write(&format!("certificates/{file}.key"), key.as_bytes())?;
    folder.write(&format!("certificates/{file}.crt"), certificate.as_bytes())
}

fn named(name: &str, organisation: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(DnType::OrganizationName, organisation);
    }
    valid_for_years(params)
}

/// Longer than any sandbox lives: an expired certificate would look like a fault of what is tested.
fn valid_for_years(mut params: CertificateParams) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    params
}

fn key_pair(subject: &str) -> Result<KeyPair, SandboxError> {
    KeyPair::generate().map_err(failed(subject))
}

fn failed(subject: &str) -> impl FnOnce(rcgen::Error) -> SandboxError {
    let subject = subject.to_owned();
    move |source| SandboxError::Certificate { subject, source }
}
