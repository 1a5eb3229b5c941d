//! A request without an answer: lost on the way, or given up by us because of a certificate.
//!
//! The second does not pass by waiting, and has a remedy of its own: `cacert`.

use super::error::OpenstackError;
use rustls::CertificateError;
use std::error::Error;
use std::path::Path;

/// What became of a request. `bundle` is the file of CA certificates that the cloud's entry names.
pub(super) fn no_answer(call: String, bundle: Option<&Path>, source: reqwest_012::Error) -> OpenstackError {
    let source = source.without_url();
    match distrust(&source) {
        Some(why) => OpenstackError::Untrusted { call, why, bundle: bundle.map(Path::to_owned) },
        None => OpenstackError::NoAnswer { call, never_sent: source.is_connect(), source: Box::new(source) },
    }
}

/// Why the server's certificate was refused, if that is what happened.
fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(words(why));
        }
        // Asked for its source, an I/O error passes over what it carries.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = carried.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

fn words(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is signed by a CA that is not trusted here".to_owned()
        }
        other => other.to_string(),
    }
}
