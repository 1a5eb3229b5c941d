//! What the encryption said, out of an error of whichever HTTP client.

use std::error::Error;

/// The TLS error among the causes of an error, if that is what it came from.
pub(super) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // Asked for its source, an I/O error passes over what it carries.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = carried.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}
