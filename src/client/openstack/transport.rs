//! A request without an answer: lost on the way, or given up by us because of a certificate.
//!
//! The second does not pass by waiting, and has a remedy of its own: `cacert`.

use super::error::OpenstackError;
use crate::client::tls::tls_error;
use rustls::CertificateError;
use std::path::Path;

/// What became of a request. `bundle` is the file of CA certificates that the cloud's entry names.
pub(super) fn no_answer(call: String, bundle: Option<&Path>, source: reqwest_012::Error) -> OpenstackError {
    let source = source.without_url();
    match tls_error(&source) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            OpenstackError::Untrusted { call, why: words(why), bundle: bundle.map(Path::to_owned) }
        }
        _ => OpenstackError::NoAnswer { call, never_sent: source.is_connect(), source: Box::new(source) },
    }
}

fn words(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is signed by a CA that is not trusted here".to_owned()
        }
        other => other.to_string(),
    }
}
