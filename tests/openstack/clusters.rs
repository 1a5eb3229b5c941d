//! Scenes with one environment's cluster.

use crate::cloud::{Recorder, TestCloud, run};
use futures::future::BoxFuture;
use rsp_install::client::kubernetes::{self, Difference};
use rsp_install::client::openstack::{Cluster, SecurityGroup};
use rsp_install::engine::{AnyStep, Event, Guard, Intent, Outcome, PlannedChange, Run, converge, survey};
use rsp_install::environment::Environment;
use rsp_install::error::Failure;
use rsp_install::install::cluster::magnum::retire::{self, Retirement};
use rsp_install::install::cluster::magnum::{Magnum, MagnumStep};
use rsp_install::process::Process;
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An environment with a cluster of its own name.
pub(crate) struct Scene {
    cloud: &'static TestCloud,
    folder: Arc<TempDir>,
    environment: Environment,
}

struct Admit;

impl Guard for Admit {
    fn admit<'a>(&'a self, _: &'a [PlannedChange], _: &'a Run) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// A whole run with nothing but the step.
pub(crate) async fn converge_once(step: MagnumStep, run: &Run) -> Outcome {
    let steps: [Box<dyn AnyStep>; 1] = [Box::new(step)];
    let outcome = converge(survey(&steps, run).await, &steps, &Admit, run).await;
    if let Some(failure) = &outcome.failure {
        eprintln!("{failure}");
    }
    outcome
}

/// What was done, change by change.
pub(crate) fn actions(outcome: &Outcome) -> Vec<&str> {
    outcome.changes.iter().map(|change| change.action.as_str()).collect()
}

/// The step that [`Scene::killed_at`] wants of its child.
pub(crate) fn step_of_the_child() -> (MagnumStep, TempDir) {
    let text = std::env::var("RSP_TEST_ENVIRONMENT").unwrap();
    let environment: Environment = serde_saphyr::from_str(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let process = Process::from_system();
    (MagnumStep(Magnum::of_generation(&process, &environment, folder.path(), 1).unwrap()), folder)
}

impl Scene {
    /// With these further keys of `cluster.magnum`, over a template, key pair and count that work.
    pub(crate) fn new(cloud: &'static TestCloud, name: &str, more: &str) -> Self {
        let usual = [("template", "rsp-template"), ("keypair", "demo-key"), ("nodes", "2")];
        let given = |key: &str| more.starts_with(&format!("{key}:")) || more.contains(&format!(" {key}:"));
        let usual: String =
            usual.iter().filter(|(key, _)| !given(key)).map(|(key, value)| [key, ": ", value, ", "].concat()).collect();
        let text = format!("{{name: {name}, cluster: {{magnum: {{name: {name}, {usual}{more}}}}}}}");
        let environment = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        Self { cloud, folder: Arc::new(tempfile::tempdir().unwrap()), environment }
    }

    /// The same environment with other keys.
    pub(crate) fn but(&self, more: &str) -> Self {
        let other = Self::new(self.cloud, self.environment.name.as_str(), more);
        Self { folder: Arc::clone(&self.folder), ..other }
    }

    /// Where the environment file would lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a run knows of the cluster; every run makes its own.
    pub(crate) fn magnum(&self, entry: &str) -> Arc<Magnum> {
        Magnum::of_generation(&self.cloud.process(entry), &self.environment, self.folder(), 1).unwrap()
    }

    /// The same for a later cluster of the environment.
    pub(crate) fn of_generation(&self, generation: u32) -> Arc<Magnum> {
        let process = self.cloud.process("appcred");
        Magnum::of_generation(&process, &self.environment, self.folder(), generation).unwrap()
    }

    /// The step of a run.
    pub(crate) fn step(&self, entry: &str) -> MagnumStep {
        MagnumStep(self.magnum(entry))
    }

    /// Converges with an application credential.
    pub(crate) async fn converge(&self) -> (Outcome, Run, Recorder) {
        let (run, recorder) = run();
        (converge_once(self.step("appcred"), &run).await, run, recorder)
    }

    /// Converges as this process.
    pub(crate) async fn converge_as(&self, process: &Process) -> (Outcome, Recorder) {
        let (run, recorder) = run();
        let step = MagnumStep(Magnum::of_generation(process, &self.environment, self.folder(), 1).unwrap());
        (converge_once(step, &run).await, recorder)
    }

    /// Converges with little patience.
    pub(crate) async fn impatient(&self, stall: Duration) -> Outcome {
        let (run, _) = run();
        let usual = self.magnum("appcred");
        let magnum = Magnum::new(self.cloud.process("appcred"), usual.wanted.clone(), usual.kubeconfig.clone(), stall);
        converge_once(MagnumStep(Arc::new(magnum)), &run).await
    }

    /// Converges in a child that dies at a checkpoint, like under `kill -9`.
    pub(crate) async fn killed_at(&self, point: &str) {
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "--ignored", "faults::the_run_that_is_killed"])
            .env("RSP_INSTALL_KILL_AT", point)
            .env("RSP_TEST_ENVIRONMENT", serde_json::to_string(&self.environment).unwrap())
            .envs(&self.cloud.process("appcred").variables);
        let status = child.output().await.unwrap().status;
        assert_eq!(status.signal(), Some(9), "{point} is not reached");
    }

    /// The security groups of the cluster's own network, as Neutron has them.
    pub(crate) async fn own_groups(&self) -> Vec<SecurityGroup> {
        let (run, _) = run();
        let magnum = self.magnum("appcred");
        let uuid = &self.clusters().await[0].uuid;
        let network = std::fs::read_to_string(self.cloud.state.join(format!("clusters/{uuid}/network.json"))).unwrap();
        let network: serde_json::Value = serde_json::from_str(&network).unwrap();
        let ids: Vec<String> =
            network["groups"].as_object().unwrap().values().map(|id| id.as_str().unwrap().to_owned()).collect();
        magnum.cloud(&run).await.unwrap().security_groups(&ids).await.unwrap()
    }

    /// A client for the cluster's API server.
    async fn kubernetes(&self) -> kubernetes::Cluster {
        let (run, _) = run();
        let kubeconfig = self.magnum("appcred").kubeconfig(&run).await.unwrap().unwrap();
        kubernetes::Access::Text(kubeconfig.expose().to_owned()).connect(&run.outlet).await.unwrap().0
    }

    /// What controllers in the cluster would have made load balancers and volumes for.
    pub(crate) async fn hold_a_load_balancer_and_a_claim(&self) {
        let cluster = self.kubernetes().await;
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]},
        });
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "home", "namespace": "default"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        for object in [service, claim] {
            cluster.apply(&serde_json::from_value(object).unwrap(), Difference::Missing).await.unwrap();
        }
    }

    /// Retires the cluster; what was planned, and what was deleted.
    pub(crate) async fn retire(&self) -> (Retirement, Vec<Intent>) {
        let (run, recorder) = run();
        let planned = retire::execute(&self.magnum("appcred"), &run).await.unwrap();
        let events = recorder.0.lock().unwrap().clone();
        let intents = events.into_iter().filter_map(|event| match event {
            Event::WriteDone(intent) => Some(intent),
            _ => None,
        });
        (planned, intents.collect())
    }

    /// Converges and expects nothing to go wrong.
    pub(crate) async fn converged(&self) -> Outcome {
        let outcome = self.converge().await.0;
        assert_eq!(outcome.failure, None);
        outcome
    }

    /// The clusters with this environment's mark that are not on their way out.
    pub(crate) async fn clusters(&self) -> Vec<Cluster> {
        let (run, _) = run();
        let magnum = self.magnum("appcred");
        let all = magnum.cloud(&run).await.unwrap().clusters().await.unwrap();
        let mark = self.environment.name.to_string();
        all.into_iter()
            .filter(|one| one.labels.get("rsp_install_environment") == Some(&mark) && !one.status.deleting())
            .collect()
    }

    /// Deletes all that this scene made, and waits until it is gone.
    pub(crate) async fn clear(&self) {
        let (run, _) = run();
        let magnum = self.magnum("appcred");
        let cloud = magnum.cloud(&run).await.unwrap();
        let ours = self.clusters().await;
        for cluster in &ours {
            cloud.delete_cluster(&cluster.uuid).await.unwrap();
        }
        let begun = Instant::now();
        for cluster in &ours {
            while cloud.cluster(&cluster.uuid).await.unwrap().is_some() {
                assert!(begun.elapsed() < Duration::from_secs(90), "cluster {} does not go", cluster.uuid);
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
}
