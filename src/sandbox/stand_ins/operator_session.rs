//! The secrets operator's login: what its running pod read from its environment when it started, and the token that
//! Vault gave it for that.
//!
//! The real operator reads its environment once, when its container starts, and so does this: credentials that are
//! rotated later reach it only through a new pod. A login that fails is a container that ends and is started again,
//! which reads anew. Simpler: only AppRole (mounted at `approle`) and token logins; the address in the environment is
//! ignored, because a rehearsal must never talk to a Vault outside.

use super::{Context, StandInError, is_running};
use crate::sandbox::vault::Vault;
use crate::secret_value::SecretValue;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{EnvVar, Pod, Secret};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const LABEL: &str = "app.kubernetes.io/name=vault-secrets-operator";
/// A container that ends at once is started again after about so long.
const RESTART: Duration = Duration::from_secs(2);
/// A token that cannot be renewed is tried so often before the liveness probe has the container started again.
const RENEWALS: u32 = 5;
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// What a logged-in operator has.
#[derive(Clone)]
pub(super) struct Session {
    /// Its token.
    pub token: SecretValue,
    /// How often it looks at every `VaultSecret`.
    pub interval: Duration,
}

/// Follows the operator's pod: the session of the running one, nothing while none is logged in.
pub(super) async fn follow(context: Arc<Context>, session: watch::Sender<Option<Session>>) {
    let (store, writer) = reflector::store();
    let pods: Api<Pod> = Api::all(context.client.clone());
    let changes = watcher(pods, watcher::Config::default().labels(LABEL)).default_backoff().reflect(writer);
    let mut changes = std::pin::pin!(changes);
    let session = Arc::new(session);
    let mut container: Option<(String, tokio::task::JoinHandle<()>)> = None;
    while let Some(change) = changes.next().await {
        let pod = running_pod(&store).filter(|_| change.is_ok());
        let uid = pod.as_ref().and_then(|pod| pod.uid());
        if change.is_err() || container.as_ref().map(|(uid, _)| uid) == uid.as_ref() {
            continue;
        }
        if let Some((_, task)) = container.take() {
            task.abort();
        }
        session.send_replace(None);
        if let (Some(pod), Some(uid)) = (pod, uid) {
            let (context, session) = (Arc::clone(&context), Arc::clone(&session));
            container = Some((uid, tokio::spawn(async move { live(&context, &pod, &session).await })));
        }
    }
}

fn running_pod(store: &Store<Pod>) -> Option<Arc<Pod>> {
    let pods = store.state().into_iter();
    pods.filter(|pod| is_running(pod)).max_by_key(|pod| pod.creation_timestamp().map(|time| time.0))
}

/// The lives of the pod's container, one after the other.
async fn live(context: &Context, pod: &Pod, session: &watch::Sender<Option<Session>>) {
    loop {
        let ended = match Environment::read(&context.client, pod).await {
            Ok(environment) => run(&context.vault, &environment, session).await,
            Err(error) => error,
        };
        session.send_replace(None);
        eprintln!("stand-in: the secrets operator in pod {} ended: {ended}", pod.name_any());
        tokio::time::sleep(RESTART).await;
    }
}

/// One life: log in, and keep the token alive until that fails.
async fn run(vault: &Vault, environment: &Environment, session: &watch::Sender<Option<Session>>) -> StandInError {
    let (mut began, mut failures) = (Instant::now(), 0);
    let (mut token, mut lease) = match log_in(vault, environment).await {
        Ok(login) => login,
        Err(error) => return error,
    };
    let interval = environment.interval();
    session.send_replace(Some(Session { token: token.clone(), interval }));
    loop {
        let Some(pause) = (if failures > 0 { Some(RENEWAL_PAUSE) } else { lease.map(|lease| lease / 2) }) else {
            return std::future::pending().await;
        };
        tokio::time::sleep(pause).await;
        // With the credentials that it read when it started, wherever they have been rotated to since.
        let worn = environment.max_ttl().is_some_and(|limit| began.elapsed() >= limit);
        let renewed = if worn { log_in(vault, environment).await } else { renew(vault, &token).await };
        match renewed {
            Ok(login) => {
                (token, lease) = login;
                failures = 0;
                if worn {
                    began = Instant::now();
                    session.send_replace(Some(Session { token: token.clone(), interval }));
                }
            }
            Err(error) if failures + 1 >= RENEWALS => return error,
            Err(error) => {
                eprintln!("stand-in: the secrets operator could not renew its token: {error}");
                failures += 1;
            }
        }
    }
}

/// A token and how long it lives; nothing for one that lives for ever.
type Login = (SecretValue, Option<Duration>);

async fn log_in(vault: &Vault, environment: &Environment) -> Result<Login, StandInError> {
    if environment.text("VAULT_AUTH_METHOD") != "approle" {
        return renew(vault, &environment.secret("VAULT_TOKEN")?).await;
    }
    let credentials = json!({
        "role_id": environment.secret("VAULT_ROLE_ID")?.expose(),
        "secret_id": environment.secret("VAULT_SECRET_ID")?.expose(),
    });
    let answer = vault.call(Method::POST, "auth/approle/login", None, Some(credentials)).await?;
    login_in(answer.unwrap_or_default())
}

async fn renew(vault: &Vault, token: &SecretValue) -> Result<Login, StandInError> {
    let looked_up = vault.call(Method::GET, "auth/token/lookup-self", Some(token), None).await?.unwrap_or_default();
    if looked_up["data"]["renewable"] != json!(true) {
        return Ok((token.clone(), None));
    }
    let answer = vault.call(Method::POST, "auth/token/renew-self", Some(token), Some(json!({}))).await?;
    login_in(answer.unwrap_or_default())
}

fn login_in(mut answer: serde_json::Value) -> Result<Login, StandInError> {
    let lease = answer["auth"]["lease_duration"].as_u64().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    match answer["auth"]["client_token"].take() {
        serde_json::Value::String(token) => Ok((SecretValue::new(token), lease)),
        _ => Err(StandInError::Object("Vault answered a login without a token".into())),
    }
}

/// The environment of the operator's container.
struct Environment(BTreeMap<String, SecretValue>);

impl Environment {
    async fn read(client: &Client, pod: &Pod) -> Result<Self, StandInError> {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        let mut read = BTreeMap::new();
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        for variable in containers.flat_map(|container| container.env.iter().flatten()) {
            if let Some(value) = value_of(variable, &secrets).await? {
                read.insert(variable.name.clone(), value);
            }
        }
        Ok(Self(read))
    }

    fn secret(&self, name: &str) -> Result<SecretValue, StandInError> {
        let set = self.0.get(name).filter(|value| !value.is_empty()).cloned();
        set.ok_or_else(|| StandInError::Object(format!("{name} is not set")))
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map(SecretValue::expose).unwrap_or_default()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.text("VAULT_RECONCILIATION_TIME").parse().ok().filter(|time| *time > 0).unwrap_or(60))
    }

    fn max_ttl(&self) -> Option<Duration> {
        self.text("VAULT_TOKEN_MAX_TTL").parse().ok().filter(|limit| *limit > 0).map(Duration::from_secs)
    }
}

/// A variable's value, from the Secret that it names: without that Secret no container starts.
async fn value_of(variable: &EnvVar, secrets: &Api<Secret>) -> Result<Option<SecretValue>, StandInError> {
    let Some(reference) = variable.value_from.as_ref().and_then(|source| source.secret_key_ref.as_ref()) else {
        return Ok(variable.value.clone().map(SecretValue::new));
    };
    let missing = || StandInError::Object(format!("Secret {} has no key {}", reference.name, reference.key));
    let secret = secrets.get_opt(&reference.name).await?;
    match secret.and_then(|secret| secret.data?.remove(&reference.key)) {
        Some(value) => {
            let text = String::from_utf8(value.0)
                .map_err(|_| StandInError::Object(format!("{} is no text", variable.name)))?;
            Ok(Some(SecretValue::new(text)))
        }
        None if reference.optional == Some(true) => Ok(None),
        None => Err(missing()),
    }
}
