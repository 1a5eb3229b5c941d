//! A server of the cloud behind TLS, with a certificate made for the test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A CA of the test's own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) bundle: PathBuf,
}

impl Authority {
    /// Made anew, its certificate in this folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let bundle = folder.join(format!("{name}.pem"));
        std::fs::write(&bundle, parameters.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(parameters, key), bundle }
    }
}

/// TLS before one server.
pub(crate) struct Front {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Front {
    /// Before the server at this port, with a certificate for this host.
    pub(crate) fn new(folder: &Path, authority: &Authority, host: &str, port: u16) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
        let file = |end: &str| folder.join(format!("front-{host}-{port}.{end}"));
        std::fs::write(file("crt"), certificate.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openstack/tls.py");
        let mut command = Command::new("python3");
        command.arg(script).args([file("crt"), file("key")]).arg(port.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }

    /// Ends it; how many connections came to be.
    pub(crate) fn end(mut self) -> usize {
        drop(self.child.stdin.take());
        BufReader::new(self.child.stdout.take().unwrap()).lines().count()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
