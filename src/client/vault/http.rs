//! One request, tried again where that may help.

use super::answer::{self, Errors};
use super::{Vault, VaultError};
use crate::client::tls::tls_error;
use crate::engine::{Event, System};
use backon::{ExponentialBuilder, Retryable as _};
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest that a server may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A request: method, path below `/v1/` in parts that may hold slashes, whether it lists, body.
pub(super) struct Request<'a> {
    pub method: Method,
    pub path: Vec<&'a str>,
    pub list: bool,
    pub body: Option<Zeroizing<Vec<u8>>>,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: Vec<&'a str>) -> Self {
        Self { method: Method::GET, path, list: false, body: None }
    }

    pub(super) fn list(path: Vec<&'a str>) -> Self {
        Self { list: true, ..Self::get(path) }
    }

    /// A write, or a question with a body.
    pub(super) fn post(path: Vec<&'a str>, body: &impl serde::Serialize) -> Self {
        // Maps of texts always can be written as JSON.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { method: Method::POST, path, list: false, body: Some(Zeroizing::new(body)) }
    }

    fn call(&self) -> String {
        let verb = if self.list { "LIST" } else { self.method.as_str() };
        format!("{verb} {}", self.path.join("/"))
    }
}

/// What came back: the body, or that there is nothing at this path (with the body that says more).
pub(super) enum Reply {
    Body(Zeroizing<Vec<u8>>),
    NotFound(Zeroizing<Vec<u8>>),
}

impl Reply {
    /// The body read as `T`; nothing when nothing was found.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self, call: &str) -> Result<Option<T>, VaultError> {
        match self {
            Self::Body(body) => answer::read(call, body).map(Some),
            Self::NotFound(_) => Ok(None),
        }
    }
}

impl Vault {
    /// Sends a request that may be repeated.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Reply, VaultError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(5)
            .with_jitter();
        (|| self.once(&request))
            .retry(backoff)
            .when(VaultError::is_transient)
            .adjust(|error, pause| match error {
                VaultError::Refused { retry_after: Some(seconds), .. } => {
                    pause.map(|_| Duration::from_secs(*seconds).min(LONGEST_WAIT))
                }
                _ => pause,
            })
            .notify(|error, pause| {
                let (call, message) = (request.call(), error.to_string());
                self.0.outlet.events().tell(Event::Retry { call, message, after_seconds: pause.as_secs_f64() });
            })
            .await
    }

    /// Sends a request once: for what must not happen twice.
    pub(super) async fn once(&self, request: &Request<'_>) -> Result<Reply, VaultError> {
        let call = request.call();
        let unreachable = |error: &reqwest::Error| failed(self.address(), &call, error);
        let mut builder =
            self.0.http.request(request.method.clone(), self.url(request)).header("X-Vault-Request", "true");
        if let Ok(mut token) = HeaderValue::from_str(self.0.token.expose()) {
            token.set_sensitive(true);
            builder = builder.header("X-Vault-Token", token);
        }
        if let Some(namespace) = &self.0.namespace {
            builder = builder.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = &request.body {
            builder = builder.header("Content-Type", "application/json").body(body.to_vec());
        }
        if request.method == Method::GET {
            self.0.outlet.counters().read(System::Vault);
        }
        let response = builder.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Zeroizing::new(response.bytes().await.map_err(|error| unreachable(&error))?.to_vec());
        match status {
            StatusCode::NOT_FOUND => Ok(Reply::NotFound(body)),
            _ if status.is_success() => Ok(Reply::Body(body)),
            _ => Err(self.refusal(call, status, &body, retry_after)),
        }
    }

    fn refusal(&self, call: String, status: StatusCode, body: &[u8], retry_after: Option<u64>) -> VaultError {
        let errors = serde_json::from_slice::<Errors>(body).unwrap_or_default().errors;
        let says = |text: &str| errors.iter().any(|error| error.contains(text));
        match status {
            StatusCode::SERVICE_UNAVAILABLE if says("sealed") => VaultError::Sealed { address: self.address() },
            StatusCode::FORBIDDEN if says("invalid token") => VaultError::TokenExpired { call },
            StatusCode::FORBIDDEN if !says("invalid accessor") => VaultError::Denied { call },
            _ => VaultError::Refused { call, status: status.as_u16(), errors, retry_after },
        }
    }

    fn url(&self, request: &Request<'_>) -> Url {
        let mut url = self.0.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            for part in &request.path {
                segments.extend(part.split('/'));
            }
        }
        url.set_query(request.list.then_some("list=true"));
        url
    }
}

/// What went wrong on the way. A certificate that is not trusted does not become so by asking again.
fn failed(address: String, call: &str, error: &reqwest::Error) -> VaultError {
    let message = root_cause(error);
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => VaultError::Untrusted { address, message },
        Some(rustls::Error::AlertReceived(_)) => VaultError::Unaccepted { address, message },
        _ => VaultError::Unreachable { address, call: call.to_owned(), message },
    }
}

/// The innermost reason: the outer ones say "error sending request" and repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
