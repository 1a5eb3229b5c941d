//! An error answer in the service's own words.
//!
//! Magnum writes `{"errors": [{title, detail}]}`, Keystone and its middleware `{"error": {title, message}}`, Neutron
//! `{"NeutronError": {type, message}}`, Nova `{"itemNotFound": {message}}`, Glance HTML or plain text.

use serde_json::Value;
use std::time::Duration;

/// What a service answered instead of what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// The service's words.
    pub message: String,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
    /// The service's number for this request: its operators find the log lines by it.
    pub request_id: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (HTTP {}", self.message, self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", {id}")?;
        }
        f.write_str(")")
    }
}

/// The longest text that is repeated when a service answers with something else than JSON.
const PLAIN_LIMIT: usize = 300;

impl Fault {
    /// Reads an answer.
    pub fn read(status: u16, retry_after: Option<&str>, request_id: Option<&str>, body: &str) -> Self {
        let message = serde_json::from_str::<Value>(body)
            .ok()
            .and_then(|json| words(&json))
            .unwrap_or_else(|| plain(status, body));
        Self {
            status,
            message,
            retry_after: retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
            request_id: request_id.map(str::to_owned),
        }
    }
}

fn words(json: &Value) -> Option<String> {
    let object = json.as_object()?;
    if let Some(errors) = object.get("errors").and_then(Value::as_array) {
        let all: Vec<&str> =
            errors.iter().filter_map(|error| text(error, &["detail", "description", "title"])).collect();
        return (!all.is_empty()).then(|| all.join("; "));
    }
    // Keystone, Neutron and Nova wrap one object under a name of their own.
    object
        .values()
        .find_map(|inner| text(inner, &["message", "detail"]))
        .or_else(|| text(json, &["message"]))
        .map(str::to_owned)
}

fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty()))
}

fn plain(status: u16, body: &str) -> String {
    let body = body.trim();
    if body.is_empty() || body.starts_with('<') {
        let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        return reason.unwrap_or("no explanation").to_owned();
    }
    body.chars().take(PLAIN_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::sample;
    use super::*;

    fn read(name: &str) -> Fault {
        let (status, body) = sample(name);
        Fault::read(status, None, None, &body)
    }

    #[test]
    fn every_service_is_quoted_in_its_own_words() {
        let quota = read("50-cluster-create-over-quota");
        assert_eq!(quota.status, 403);
        assert!(quota.message.contains("maximum clusters per project, 4. You may delete"), "{quota}");
        assert_eq!(
            read("58-sg-rule-duplicate").message,
            "Security group rule already exists. Rule id is 6eb13988-88b7-4b15-b70d-7e2a7bfabf3c."
        );
        assert_eq!(read("07-no-token").message, "The request you have made requires authentication.");
        assert!(read("22-cluster-bad-template").message.contains("no-such could not be found"));
        assert!(read("27-cluster-bad-microversion").message.contains("is not supported"));
    }

    #[test]
    fn an_answer_of_a_proxy_is_shown_by_its_status() {
        let fault = Fault::read(502, None, Some("req-1"), "<html><h1>Bad Gateway</h1></html>");
        assert_eq!(fault.to_string(), "Bad Gateway (HTTP 502, req-1)");
        assert_eq!(Fault::read(429, Some("7"), None, "slow down").retry_after, Some(Duration::from_secs(7)));
    }
}
