//! A gateway before a Vault server, as sites have one: it ends TLS, may ask for client certificates, holds every message
//! back for a while, and writes down what it was sent.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long one side is listened to before the other has its turn.
const TURN: Duration = Duration::from_millis(2);

/// A running gateway; it ends with the test.
pub struct Gateway {
    pub address: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Gateway {
    /// Passes everything on to `server`, each message of a client after `pause`.
    pub fn open(server: &str, tls: Option<Arc<ServerConfig>>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = server.trim_start_matches("http://").to_owned();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, tls, log) = (TcpStream::connect(&server).unwrap(), tls.clone(), Arc::clone(&log));
                for stream in [&client, &server] {
                    stream.set_read_timeout(Some(TURN)).unwrap();
                    stream.set_nodelay(true).unwrap();
                }
                std::thread::spawn(move || match tls {
                    None => pass(client, server, pause, &log),
                    Some(tls) => {
                        pass(StreamOwned::new(ServerConnection::new(tls).unwrap(), client), server, pause, &log);
                    }
                });
            }
        });
        Self { address, sent }
    }

    /// Everything that clients have sent, in small letters.
    pub fn sent(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().unwrap()).to_lowercase()
    }
}

fn pass(mut client: impl Read + Write, mut server: TcpStream, pause: Duration, log: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    loop {
        match read(&mut client, &mut buffer) {
            Some(0) => {}
            Some(length) => {
                log.lock().unwrap().extend_from_slice(&buffer[..length]);
                std::thread::sleep(pause);
                if server.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            None => return,
        }
        match read(&mut server, &mut buffer) {
            Some(0) => {}
            Some(length) => {
                if client.write_all(&buffer[..length]).and_then(|()| client.flush()).is_err() {
                    return;
                }
            }
            None => return,
        }
    }
}

/// How much came in this turn; nothing when the other side has ended.
fn read(stream: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    match stream.read(buffer) {
        Ok(0) => None,
        Ok(length) => Some(length),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(0),
        Err(_) => None,
    }
}

/// A certificate authority for a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Certificate and key for a server or a client on this machine, in PEM.
    pub fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server with a certificate of this authority; it wants a client certificate of `clients`, if given.
    pub fn server(&self, clients: Option<&Self>) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue();
        let builder = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(clients.certificate.as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        Arc::new(builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap())
    }
}
