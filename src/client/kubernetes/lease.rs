//! The lease that keeps two runs apart.
//!
//! The holder names host, boot and process start. So the same host sees at once that a run is dead and takes over; others
//! wait until the lease has not been renewed for its duration. Renewing is a heartbeat, not a numbered write.

use super::FIELD_MANAGER;
use super::cluster::Cluster;
use super::error::KubernetesError;
use crate::engine::{Action, Deadline, Event, Intent, System};
use crate::error::{Explain, Kind};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use std::time::Duration;

/// After so long without renewal a lease of another host counts as left behind.
const DURATION_SECONDS: i32 = 15;
const RENEW: Duration = Duration::from_secs(5);

/// Who runs: enough for the same host to tell whether that process still lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    host: String,
    boot: String,
    pid: i32,
    start: String,
}

/// Why the lease is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it and is alive.
    #[error("another run holds this environment: process {pid} on {host}")]
    Held {
        /// Its host.
        host: String,
        /// Its process there.
        pid: i32,
    },
    /// The API server did not do what we asked.
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
}

impl Explain for LeaseError {
    fn kind(&self) -> Kind {
        match self {
            Self::Held { .. } => Kind::Held,
            Self::Kubernetes(error) => error.kind(),
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Held { .. } => vec!["wait for it to end; a run that died is taken over by itself".into()],
            Self::Kubernetes(error) => error.help(),
        }
    }
}

impl Holder {
    /// This process.
    pub fn this_process() -> Self {
        let pid = std::process::id().try_into().unwrap_or(0);
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        Self { host, boot: boot_id(), pid, start: start_of(pid).unwrap_or_default() }
    }

    fn parse(text: &str) -> Option<Self> {
        let [host, boot, pid, start] = text.split('/').collect::<Vec<_>>()[..] else { return None };
        Some(Self { host: host.into(), boot: boot.into(), pid: pid.parse().ok()?, start: start.into() })
    }

    /// Whether it ran on this host and runs no more.
    fn is_known_dead(&self) -> bool {
        let here = Self::this_process();
        let alive = self.boot == here.boot && start_of(self.pid).is_some_and(|start| start == self.start);
        self.host == here.host && !alive
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.host, self.boot, self.pid, self.start)
    }
}

fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// When a process began, in the kernel's ticks since boot; nothing when there is no such process.
fn start_of(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may hold blanks; the start time is the 20th after it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}

/// The lease while we hold it. Dropped, it is no longer renewed.
pub struct HeldLease {
    cluster: Cluster,
    namespace: String,
    name: String,
    renewal: tokio::task::JoinHandle<()>,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Cluster {
    /// Takes the lease, from a dead run if need be.
    pub async fn take_lease(&self, namespace: &str, name: &str, deadline: Deadline) -> Result<HeldLease, LeaseError> {
        let api: Api<Lease> = Api::namespaced(self.client(), namespace);
        let read = |error| KubernetesError::from_client(format!("read Lease {namespace}/{name}"), error);
        loop {
            let found = api.get_opt(name).await.map_err(read)?;
            let wait = found.as_ref().map_or(Duration::ZERO, free_in);
            if !wait.is_zero() {
                self.wait_for_holder(&api, name, found.as_ref(), wait, deadline).await?;
                continue;
            }
            let lease = ours(name, found.as_ref());
            let action = if found.is_some() { Action::Update } else { Action::Create };
            let intent = Intent::new(System::Kubernetes, action, format!("Lease {namespace}/{name}"));
            let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
            let written = self.outlet().write(intent, async {
                match action {
                    Action::Create => api.create(&parameters, &lease).await,
                    _ => api.replace(name, &parameters, &lease).await,
                }
            });
            match written.await {
                Ok(_) => return Ok(self.keep(api, namespace, name)),
                // Somebody was quicker: look again.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => {
                    return Err(KubernetesError::from_client(format!("take Lease {namespace}/{name}"), error).into());
                }
            }
        }
    }

    /// Waits until the lease has not been renewed for its duration; an error when it is.
    async fn wait_for_holder(
        &self,
        api: &Api<Lease>,
        name: &str,
        found: Option<&Lease>,
        wait: Duration,
        deadline: Deadline,
    ) -> Result<(), LeaseError> {
        let spec = found.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let holder = spec.holder_identity.as_deref().and_then(Holder::parse);
        let (host, pid) = holder.map_or_else(|| ("an unknown host".to_owned(), 0), |holder| (holder.host, holder.pid));
        self.outlet().events().tell(Event::Waiting {
            object: format!("Lease {name}"),
            condition: "free".into(),
            message: format!("process {pid} on {host} holds it and may have died"),
        });
        tokio::time::sleep(wait.min(deadline.left())).await;
        let now = api.get_opt(name).await;
        let now = now.map_err(|error| KubernetesError::from_client(format!("read Lease {name}"), error))?;
        let renewed = now.and_then(|lease| lease.spec).and_then(|spec| spec.renew_time) != spec.renew_time;
        if renewed || deadline.passed() { Err(LeaseError::Held { host, pid }) } else { Ok(()) }
    }

    fn keep(&self, api: Api<Lease>, namespace: &str, name: &str) -> HeldLease {
        let (cluster, lease) = (self.clone(), name.to_owned());
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW).await;
                let patch = Patch::Merge(json!({"spec": {"renewTime": MicroTime(Timestamp::now())}}));
                let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
                // A lost beat is made good by the next one; three lost ones let others in, as they should.
                let _ = cluster.outlet().heartbeat(System::Kubernetes, api.patch(&lease, &parameters, &patch)).await;
            }
        });
        HeldLease { cluster: self.clone(), namespace: namespace.to_owned(), name: name.to_owned(), renewal }
    }
}

impl HeldLease {
    /// Gives the lease back, so that the next run need not wait.
    pub async fn release(self) -> Result<(), KubernetesError> {
        let api: Api<Lease> = Api::namespaced(self.cluster.client(), &self.namespace);
        let object = format!("Lease {}/{}", self.namespace, self.name);
        let patch = Patch::Merge(json!({"spec": {"holderIdentity": ""}}));
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let intent = Intent::new(System::Kubernetes, Action::Update, object.clone());
        let freed = self.cluster.outlet().write(intent, api.patch(&self.name, &parameters, &patch)).await;
        freed.map(|_| ()).map_err(|error| KubernetesError::from_client(format!("release {object}"), error))
    }
}

/// How long until the lease may be taken: zero when it is free, left behind, or its holder is known to be dead.
fn free_in(lease: &Lease) -> Duration {
    let Some(spec) = &lease.spec else { return Duration::ZERO };
    let Some(holder) = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty()) else {
        return Duration::ZERO;
    };
    if Holder::parse(holder).is_some_and(|holder| holder.is_known_dead()) {
        return Duration::ZERO;
    }
    let Some(MicroTime(renewed)) = spec.renew_time else { return Duration::ZERO };
    let duration =
        Duration::from_secs(spec.lease_duration_seconds.unwrap_or(DURATION_SECONDS).max(0).unsigned_abs().into());
    let age = Timestamp::now().duration_since(renewed).try_into().unwrap_or(Duration::ZERO);
    duration.saturating_sub(age)
}

fn ours(name: &str, found: Option<&Lease>) -> Lease {
    let now = MicroTime(Timestamp::now());
    let metadata = found.map_or_else(
        || ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        |lease| lease.metadata.clone(),
    );
    let spec = LeaseSpec {
        holder_identity: Some(Holder::this_process().to_string()),
        lease_duration_seconds: Some(DURATION_SECONDS),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        ..LeaseSpec::default()
    };
    Lease { metadata, spec: Some(spec) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, age_seconds: i64) -> Lease {
        let renewed = Timestamp::now() - k8s_openapi::jiff::SignedDuration::from_secs(age_seconds);
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(renewed)),
            ..LeaseSpec::default()
        };
        Lease { metadata: ObjectMeta::default(), spec: Some(spec) }
    }

    #[test]
    fn a_dead_run_of_this_host_is_taken_over_at_once() {
        let mut dead = Holder::this_process();
        dead.start = "1".into();
        assert_eq!(free_in(&lease(&dead.to_string(), 0)), Duration::ZERO);
        let mut rebooted = Holder::this_process();
        rebooted.boot = "another".into();
        assert_eq!(free_in(&lease(&rebooted.to_string(), 0)), Duration::ZERO);
    }

    #[test]
    fn a_living_run_and_another_host_are_waited_for() {
        assert!(free_in(&lease(&Holder::this_process().to_string(), 0)) > Duration::from_secs(13));
        let other = Holder { host: "elsewhere".into(), ..Holder::this_process() }.to_string();
        assert!(free_in(&lease(&other, 5)) > Duration::from_secs(8));
        assert_eq!(free_in(&lease(&other, 16)), Duration::ZERO);
    }

    #[test]
    fn a_released_lease_is_free() {
        assert_eq!(free_in(&lease("", 0)), Duration::ZERO);
    }
}
