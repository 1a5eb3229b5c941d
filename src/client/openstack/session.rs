//! The session: the one place where requests leave for the cloud.

use super::call::{Call, RETRIES, Reply, patience};
use super::clouds::Cloud;
use super::error::OpenstackError;
use super::identity::{ApplicationCredential, Authenticator, Identity, Scope, fault};
use super::service::Service;
use crate::engine::{Action, Deadline, Event, Events, Intent, Outlet, System};
use crate::process::Process;
use backon::{ExponentialBuilder, Retryable as _};
use openstack::session::Session;
use osauth::ApiVersion;
use osauth::services::VersionedService as _;
use reqwest_012::{Certificate, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one request may take; Magnum asks up to four other services before it answers.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A session with a cloud; cheap to clone.
#[derive(Clone)]
pub struct Openstack {
    cloud: String,
    identity: Arc<Identity>,
    session: Session,
    outlet: Outlet,
    deadline: Deadline,
}

impl Openstack {
    /// Finds the cloud (see [`Cloud::find`]) and logs in.
    pub async fn connect(
        process: &Process,
        name: Option<&str>,
        outlet: &Outlet,
        deadline: Deadline,
    ) -> Result<Self, OpenstackError> {
        let cloud = Cloud::find(process, name)?;
        let name = cloud.name.clone();
        let http = http_client(&cloud)?;
        let identity = Arc::new(Identity::new(cloud, http.clone(), outlet.counters().clone()));
        retried("POST identity /auth/tokens", outlet, deadline, &|error| login_may_retry(error), || identity.token())
            .await?;
        let session = Session::new_with_client(http, Authenticator(Arc::clone(&identity))).await;
        let session =
            session.map_err(|error| OpenstackError::Client { cloud: name.clone(), message: error.to_string() })?;
        Ok(Self { cloud: name, identity, session, outlet: outlet.clone(), deadline })
    }

    /// What messages call this cloud.
    pub fn cloud(&self) -> &str {
        &self.cloud
    }

    /// The stream of events.
    pub fn events(&self) -> &Events {
        self.outlet.events()
    }

    /// Who and where we are.
    pub async fn scope(&self) -> Result<Scope, OpenstackError> {
        self.identity.scope().await
    }

    /// Whether the catalogue offers a service here.
    pub async fn offers(&self, service: Service) -> Result<bool, OpenstackError> {
        let token = self.identity.token().await?;
        Ok(self.identity.endpoint(&token, service).is_ok())
    }

    /// The application credential that our token came from; none with another kind of login.
    pub async fn application_credential(&self) -> Result<Option<ApplicationCredential>, OpenstackError> {
        self.identity.application().await
    }

    /// A request that changes nothing that is stored.
    pub async fn read(&self, call: &Call) -> Result<Reply, OpenstackError> {
        retried(&call.title(), &self.outlet, self.deadline, &|error| call.may_retry(error), || async {
            self.outlet.counters().read(System::Openstack);
            self.with_fresh_token(call, || self.outlet.counters().read(System::Openstack)).await
        })
        .await
    }

    /// A request that changes something.
    pub async fn write(&self, call: &Call, action: Action, object: &str) -> Result<Reply, OpenstackError> {
        let tries = AtomicU64::new(0);
        let count = || {
            // The outlet counts the first try.
            if tries.fetch_add(1, Ordering::Relaxed) > 0 {
                self.outlet.counters().write(System::Openstack);
            }
        };
        let title = call.title();
        let may_retry = |error: &OpenstackError| call.may_retry(error);
        let sent = retried(&title, &self.outlet, self.deadline, &may_retry, || async {
            count();
            self.with_fresh_token(call, count).await
        });
        self.outlet.write(Intent::new(System::Openstack, action, object), sent).await
    }

    /// The value under `key` of an answer to a read.
    pub async fn fetch<T: DeserializeOwned>(&self, call: &Call, key: &str) -> Result<T, OpenstackError> {
        typed(call, &self.read(call).await?.body, key)
    }

    /// A token can be revoked or expire on the way: once, a 401 is answered with a new login.
    async fn with_fresh_token(&self, call: &Call, count: impl Fn()) -> Result<Reply, OpenstackError> {
        let token = self.identity.token().await?;
        match Box::pin(self.once(call)).await {
            Err(error) if error.status() == Some(401) => {
                self.outlet.events().tell(Event::Retry {
                    call: call.title(),
                    message: format!("{error}; logging in again"),
                    after_seconds: 0.0,
                });
                self.identity.forget(&token).await;
                count();
                Box::pin(self.once(call)).await
            }
            answer => answer,
        }
    }

    async fn once(&self, call: &Call) -> Result<Reply, OpenstackError> {
        let token = self.identity.token().await?;
        self.identity.endpoint(&token, call.service)?;
        let refused =
            |error: openstack::Error| OpenstackError::Strange { call: call.title(), message: error.to_string() };
        let url = self.session.get_endpoint(call.service, &call.path).await.map_err(refused)?;
        let http = self.session.client().inner();
        let mut request = http.request(call.method.clone(), url).timeout(TIMEOUT).query(&call.query);
        request = request.header("accept", "application/json");
        if let Some(version) = call.version {
            let (name, value) = call.service.get_version_header(version);
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let request = self.session.auth_type().authenticate(http, request).await.map_err(refused)?;
        let no_answer = |source: reqwest_012::Error| self.identity.no_answer(call.title(), source);
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        if !call.accepts(status) {
            return Err(OpenstackError::Refused { call: call.title(), fault: Box::new(fault(response).await) });
        }
        let newest = newest_version(response.headers());
        let text = response.text().await.map_err(no_answer)?;
        let body = match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(_) if text.trim().is_empty() || status >= 300 => Value::Null,
            Err(error) => return Err(OpenstackError::Strange { call: call.title(), message: error.to_string() }),
        };
        Ok(Reply { status, body, newest })
    }
}

/// `OpenStack-API-Maximum-Version: container-infrastructure-management 1.14`; some services leave their name out.
fn newest_version(headers: &http::HeaderMap) -> Option<ApiVersion> {
    let text = headers.get("openstack-api-maximum-version")?.to_str().ok()?;
    let (major, minor) = text.rsplit(' ').next()?.split_once('.')?;
    Some(ApiVersion(major.parse().ok()?, minor.parse().ok()?))
}

/// The value under `key`; the whole body for an empty key.
pub(super) fn typed<T: DeserializeOwned>(call: &Call, body: &Value, key: &str) -> Result<T, OpenstackError> {
    let value = if key.is_empty() { body.clone() } else { body.get(key).cloned().unwrap_or(Value::Null) };
    serde_json::from_value(value)
        .map_err(|error| OpenstackError::Strange { call: call.title(), message: format!("{key}: {error}") })
}

async fn retried<T, F: Future<Output = Result<T, OpenstackError>>>(
    title: &str,
    outlet: &Outlet,
    deadline: Deadline,
    may_retry: &(dyn Fn(&OpenstackError) -> bool + Sync),
    attempt: impl FnMut() -> F,
) -> Result<T, OpenstackError> {
    let growing = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(8))
        .with_max_times(RETRIES)
        .with_jitter();
    attempt
        .retry(growing)
        .when(|error| may_retry(error) && !deadline.passed())
        .adjust(patience)
        .notify(|error, after| {
            outlet.events().tell(Event::Retry {
                call: title.to_owned(),
                message: error.to_string(),
                after_seconds: after.as_secs_f64(),
            });
        })
        .await
}

fn login_may_retry(error: &OpenstackError) -> bool {
    match error {
        OpenstackError::NoAnswer { .. } => true,
        OpenstackError::Refused { fault, .. } => matches!(fault.status, 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

fn http_client(cloud: &Cloud) -> Result<Client, OpenstackError> {
    let wrong = |message: String| OpenstackError::Client { cloud: cloud.name.clone(), message };
    let mut builder = Client::builder().connect_timeout(Duration::from_secs(10)).user_agent("rsp-install");
    if let Some(path) = &cloud.cacert {
        let pem = std::fs::read(path).map_err(|source| OpenstackError::File { path: path.clone(), source })?;
        let bundle =
            Certificate::from_pem_bundle(&pem).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        if bundle.is_empty() {
            return Err(wrong(format!("{} holds no certificate", path.display())));
        }
        builder = bundle.into_iter().fold(builder, reqwest_012::ClientBuilder::add_root_certificate);
    }
    builder.build().map_err(|error| wrong(error.to_string()))
}
