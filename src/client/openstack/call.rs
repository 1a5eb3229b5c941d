//! One request, and which faults of it pass by themselves.

use super::error::OpenstackError;
use super::service::{MAGNUM, Service};
use osauth::ApiVersion;
use reqwest_012::Method;
use serde_json::Value;
use std::time::Duration;

/// How often a fault that passes is tried again, after the first try.
pub(super) const RETRIES: usize = 5;

/// A service may ask for more patience than this; it gets this much.
const LONGEST_PATIENCE: Duration = Duration::from_mins(1);

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) service: Service,
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    pub(super) version: Option<ApiVersion>,
    repeatable: bool,
    quiet: Vec<u16>,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status: success, or one that the call accepts.
    pub status: u16,
    /// The body; null when there is none.
    pub body: Value,
    /// The newest version that the service says it speaks.
    pub newest: Option<ApiVersion>,
}

impl Call {
    fn new(service: Service, method: Method, path: &[&str]) -> Self {
        Self {
            service,
            repeatable: method != Method::POST,
            method,
            path: path.iter().map(|&part| part.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            version: (service == Service::ContainerInfra).then_some(MAGNUM),
            quiet: Vec::new(),
        }
    }

    /// `GET`.
    pub fn get(service: Service, path: &[&str]) -> Self {
        Self::new(service, Method::GET, path)
    }

    /// `POST`, taken as one that may not be done twice.
    pub fn post(service: Service, path: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(service, Method::POST, path) }
    }

    /// `PATCH`.
    pub fn patch(service: Service, path: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(service, Method::PATCH, path) }
    }

    /// `DELETE`.
    pub fn delete(service: Service, path: &[&str]) -> Self {
        Self::new(service, Method::DELETE, path)
    }

    /// Adds a parameter; a name may be given several times.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that doing it twice is like doing it once.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Takes this error status as an answer.
    #[must_use]
    pub fn accept(mut self, status: u16) -> Self {
        self.quiet.push(status);
        self
    }

    pub(super) fn accepts(&self, status: u16) -> bool {
        (200..300).contains(&status) || self.quiet.contains(&status)
    }

    /// For messages: method, service and path.
    pub(super) fn title(&self) -> String {
        format!("{} {} /{}", self.method, self.service, self.path.join("/"))
    }

    /// Whether trying again may help, and cannot do harm.
    pub(super) fn may_retry(&self, error: &OpenstackError) -> bool {
        match error {
            OpenstackError::NoAnswer { never_sent, .. } => *never_sent || self.repeatable,
            // 429 and 503 say that the request was not taken; the others leave it open.
            OpenstackError::Refused { fault, .. } => match fault.status {
                429 | 503 => true,
                502 | 504 => self.repeatable,
                500 => self.method == Method::GET,
                _ => false,
            },
            _ => false,
        }
    }
}

/// How long to wait: what the service asked for, within reason, else our own growing delay.
pub(super) fn patience(error: &OpenstackError, own: Option<Duration>) -> Option<Duration> {
    own.map(|own| error.retry_after().map_or(own, |asked| asked.min(LONGEST_PATIENCE)))
}

#[cfg(test)]
mod tests {
    use super::super::fault::Fault;
    use super::*;
    use serde_json::json;

    fn refused(status: u16, after: Option<&str>) -> OpenstackError {
        OpenstackError::Refused { call: String::new(), fault: Box::new(Fault::read(status, after, None, "")) }
    }

    fn lost(never_sent: bool) -> OpenstackError {
        let source = Box::new(std::io::Error::other("reset"));
        OpenstackError::NoAnswer { call: String::new(), never_sent, source }
    }

    #[test]
    fn a_create_call_is_repeated_only_when_it_surely_was_not_done() {
        let create = Call::post(Service::ContainerInfra, &["clusters"], json!({}));
        assert!(create.may_retry(&refused(429, None)) && create.may_retry(&refused(503, None)));
        assert!(create.may_retry(&lost(true)));
        assert!(!create.may_retry(&lost(false)), "the cluster may be there");
        assert!(!create.may_retry(&refused(500, None)) && !create.may_retry(&refused(504, None)));
    }

    #[test]
    fn a_read_is_repeated_after_every_passing_fault_and_after_no_other() {
        let read = Call::get(Service::Network, &["ports"]);
        assert!([429, 500, 502, 503, 504].iter().all(|&status| read.may_retry(&refused(status, None))));
        assert!(![400, 401, 403, 404, 409].iter().any(|&status| read.may_retry(&refused(status, None))));
        assert!(read.may_retry(&lost(false)));
    }

    #[test]
    fn the_service_says_how_long_to_wait_within_reason() {
        let own = Some(Duration::from_millis(500));
        assert_eq!(patience(&refused(429, Some("3")), own), Some(Duration::from_secs(3)));
        assert_eq!(patience(&refused(429, Some("86400")), own), Some(LONGEST_PATIENCE));
        assert_eq!(patience(&refused(503, None), own), own);
        assert_eq!(patience(&refused(503, Some("3")), None), None, "the tries are used up");
    }
}
