//! The token: obtained, kept, renewed before it expires, thrown away when a service refuses it.
//!
//! Its life is measured from the moment it came, by Keystone's own two times, so that a wrong clock here or there does no
//! harm. `osauth`'s own logins were refused: they renew in the last ten minutes only (at every call where tokens live
//! shorter), cannot be told that a token was revoked, and hide the project and the status.

use super::clouds::Cloud;
use super::error::OpenstackError;
use super::fault::Fault;
use super::service::Service;
use super::transport::no_answer;
use crate::engine::{Counters, System};
use crate::secret_value::SecretValue;
use jiff::Timestamp;
use openstack::auth::AuthType;
use openstack::{EndpointFilters, Error as SessionError, ErrorKind};
use reqwest_012::{Client, RequestBuilder, Response, Url};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Renewed this long before the end, or in the last fifth of a shorter life.
const MARGIN: Duration = Duration::from_mins(10);

/// How long Keystone may take.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(1);

/// Who and where we are.
#[derive(Debug, Clone, Deserialize)]
pub struct Scope {
    /// The project's id.
    pub project_id: String,
    /// The project's name.
    pub project: String,
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user: String,
}

/// The application credential that a token came from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApplicationCredential {
    /// Its name.
    pub name: String,
    /// Whether it may make neither trusts nor other credentials.
    #[serde(default)]
    pub restricted: bool,
}

/// A token that we hold.
pub(super) struct Token {
    value: SecretValue,
    renew_at: Instant,
    catalog: Vec<CatalogService>,
    scope: Option<Scope>,
    application: Option<ApplicationCredential>,
}

/// The credential and the token that it gave.
pub(super) struct Identity {
    cloud: Cloud,
    http: Client,
    counters: Counters,
    current: Mutex<Option<Arc<Token>>>,
}

impl Identity {
    pub(super) fn new(cloud: Cloud, http: Client, counters: Counters) -> Self {
        Self { cloud, http, counters, current: Mutex::new(None) }
    }

    /// A token with some life left. Callers that come together share one login.
    pub(super) async fn token(&self) -> Result<Arc<Token>, OpenstackError> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.login().await?);
        *current = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Throws this token away: a service refused it.
    pub(super) async fn forget(&self, refused: &Arc<Token>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *current = None;
        }
    }

    /// Who we are, once logged in.
    pub(super) async fn scope(&self) -> Result<Scope, OpenstackError> {
        let token = self.token().await?;
        token.scope.clone().ok_or(OpenstackError::incomplete(&self.cloud.name, "project_name"))
    }

    /// The application credential that our token came from, however we got it.
    pub(super) async fn application(&self) -> Result<Option<ApplicationCredential>, OpenstackError> {
        Ok(self.token().await?.application.clone())
    }

    /// A request that got no answer.
    pub(super) fn no_answer(&self, call: String, source: reqwest_012::Error) -> OpenstackError {
        no_answer(call, self.cloud.cacert.as_deref(), source)
    }

    /// Where a service's API begins.
    pub(super) fn endpoint(&self, token: &Token, service: Service) -> Result<String, OpenstackError> {
        let cloud = &self.cloud;
        if token.scope.is_none() {
            // A token for no project comes without a catalogue.
            return Err(OpenstackError::incomplete(&cloud.name, "project_name"));
        }
        let right_place = |endpoint: &&Endpoint| {
            let region = endpoint.region_id.as_ref().or(endpoint.region.as_ref());
            endpoint.interface == cloud.interface && (cloud.region.is_none() || cloud.region.as_ref() == region)
        };
        let named =
            service.catalog_types().iter().filter_map(|kind| token.catalog.iter().find(|entry| entry.kind == *kind));
        let endpoints = named.flat_map(|entry| &entry.endpoints);
        let found = endpoints.clone().find(right_place);
        found.map(|endpoint| service.base(&endpoint.url)).ok_or_else(|| OpenstackError::NoService {
            cloud: cloud.name.clone(),
            service,
            region: cloud.region.clone().unwrap_or_else(|| "any".into()),
            interface: cloud.interface.clone(),
            offered: places(endpoints),
        })
    }

    async fn login(&self) -> Result<Token, OpenstackError> {
        let call = format!("POST {}", self.tokens_url());
        let no_answer = |source: reqwest_012::Error| self.no_answer(call.clone(), source);
        self.counters.read(System::Openstack);
        let request = self.http.post(self.tokens_url()).timeout(LOGIN_TIMEOUT).json(&self.cloud.credential.body());
        let response = request.send().await.map_err(no_answer)?;
        if !response.status().is_success() {
            let fault = Box::new(fault(response).await);
            return Err(if fault.status < 500 && fault.status != 429 {
                let advice = self.cloud.credential.advice();
                OpenstackError::Login { cloud: self.cloud.name.clone(), fault, advice }
            } else {
                OpenstackError::Refused { call, fault }
            });
        }
        let strange = |message: &str| OpenstackError::Strange { call: call.clone(), message: message.to_owned() };
        let value = response.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let value = SecretValue::new(value.ok_or_else(|| strange("no X-Subject-Token"))?);
        let answer: Answer = response.json().await.map_err(|error| strange(&error.to_string()))?;
        let life = answer.token.expires_at.duration_since(answer.token.issued_at).unsigned_abs();
        Ok(Token {
            value,
            renew_at: Instant::now() + life.saturating_sub(MARGIN.min(life / 5)),
            catalog: answer.token.catalog,
            application: answer.token.application_credential,
            scope: answer.token.project.map(|project| Scope {
                project_id: project.id,
                project: project.name,
                user_id: answer.token.user.id,
                user: answer.token.user.name,
            }),
        })
    }

    fn tokens_url(&self) -> String {
        format!("{}/auth/tokens", Service::Identity.base(&self.cloud.auth_url))
    }
}

/// Regions with their interfaces, for messages.
fn places<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<String> {
    let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for endpoint in endpoints {
        let region = endpoint.region_id.as_deref().or(endpoint.region.as_deref()).unwrap_or("no region");
        places.entry(region).or_default().insert(&endpoint.interface);
    }
    let text = |(region, interfaces): (&str, BTreeSet<&str>)| {
        format!("region {region} ({})", interfaces.into_iter().collect::<Vec<_>>().join(", "))
    };
    places.into_iter().map(text).collect()
}

/// Reads an answer that is an error.
pub(super) async fn fault(response: Response) -> Fault {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (after, id) = (header("retry-after"), header("x-openstack-request-id"));
    let body = response.text().await.unwrap_or_default();
    Fault::read(status, after.as_deref(), id.as_deref(), &body)
}

#[derive(Deserialize)]
struct Answer {
    token: TokenBody,
}

#[derive(Deserialize)]
struct TokenBody {
    issued_at: Timestamp,
    expires_at: Timestamp,
    project: Option<Named>,
    user: Named,
    application_credential: Option<ApplicationCredential>,
    #[serde(default)]
    catalog: Vec<CatalogService>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct CatalogService {
    #[serde(rename = "type")]
    kind: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

/// The identity as `osauth`'s session wants it.
#[derive(Clone)]
pub(super) struct Authenticator(pub(super) Arc<Identity>);

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authenticator({})", self.0.cloud.name)
    }
}

type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

fn refused(error: &OpenstackError) -> SessionError {
    SessionError::new(ErrorKind::AuthenticationFailed, error.to_string())
}

// The trait is made with `async_trait`; these are its signatures written out, to save the dependency.
impl AuthType for Authenticator {
    fn authenticate<'s, 'c, 'a>(&'s self, _: &'c Client, request: RequestBuilder) -> Answering<'a, RequestBuilder>
    where
        's: 'a,
        'c: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let token = self.0.token().await.map_err(|error| refused(&error))?;
            Ok(request.header("x-auth-token", token.value.expose()))
        })
    }

    fn get_endpoint<'s, 'c, 'k, 'f, 'a>(
        &'s self,
        _: &'c Client,
        kind: &'k str,
        _: &'f EndpointFilters,
    ) -> Answering<'a, Url>
    where
        's: 'a,
        'c: 'a,
        'k: 'a,
        'f: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let service = Service::ALL.into_iter().find(|service| service.catalog_types().contains(&kind));
            let service = service.ok_or_else(|| SessionError::new(ErrorKind::EndpointNotFound, kind))?;
            let token = self.0.token().await.map_err(|error| refused(&error))?;
            let url = self.0.endpoint(&token, service).map_err(|error| refused(&error))?;
            Url::parse(&url).map_err(|error| SessionError::new(ErrorKind::InvalidResponse, format!("{url}: {error}")))
        })
    }

    fn refresh<'s, 'c, 'a>(&'s self, _: &'c Client) -> Answering<'a, ()>
    where
        's: 'a,
        'c: 'a,
        Self: 'a,
    {
        Box::pin(async move { self.0.token().await.map(drop).map_err(|error| refused(&error)) })
    }
}
