//! Scenes with one environment's cluster.

use crate::cloud::{Recorder, TestCloud, run};
use futures::future::BoxFuture;
use rsp_install::client::openstack::Cluster;
use rsp_install::engine::{AnyStep, Guard, Outcome, PlannedChange, Run, converge};
use rsp_install::environment::Environment;
use rsp_install::error::Failure;
use rsp_install::install::cluster::magnum::MagnumStep;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An environment with a cluster of its own name.
pub struct Scene {
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
pub async fn converge_once(step: MagnumStep, run: &Run) -> Outcome {
    let steps: [Box<dyn AnyStep>; 1] = [Box::new(step)];
    let outcome = converge(&steps, &Admit, None, run).await;
    if let Some(failure) = &outcome.failure {
        eprintln!("{failure}");
    }
    outcome
}

impl Scene {
    /// With these further keys of `cluster.magnum`, over a template, key pair and count that work.
    pub fn new(cloud: &'static TestCloud, name: &str, more: &str) -> Self {
        let usual = [("template", "rsp-template"), ("keypair", "demo-key"), ("nodes", "2")];
        let given = |key: &str| more.starts_with(&format!("{key}:")) || more.contains(&format!(" {key}:"));
        let usual: String =
            usual.iter().filter(|(key, _)| !given(key)).map(|(key, value)| format!("{key}: {value}, ")).collect();
        let text = format!("{{name: {name}, cluster: {{magnum: {{name: {name}, {usual}{more}}}}}}}");
        let environment = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        Self { cloud, folder: Arc::new(tempfile::tempdir().unwrap()), environment }
    }

    /// The same environment with other keys.
    pub fn but(&self, more: &str) -> Self {
        let other = Self::new(self.cloud, self.environment.name.as_str(), more);
        Self { folder: Arc::clone(&self.folder), ..other }
    }

    /// Where the environment file would lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new step, as every run makes one.
    pub fn step(&self, entry: &str) -> MagnumStep {
        MagnumStep::for_environment(&self.cloud.process(entry), &self.environment, self.folder()).unwrap()
    }

    /// Converges with an application credential.
    pub async fn converge(&self) -> (Outcome, Run, Recorder) {
        let (run, recorder) = run();
        (converge_once(self.step("appcred"), &run).await, run, recorder)
    }

    /// Converges and expects nothing to go wrong.
    pub async fn converged(&self) -> Outcome {
        let outcome = self.converge().await.0;
        assert_eq!(outcome.failure, None);
        outcome
    }

    /// The clusters with this environment's mark that are not on their way out.
    pub async fn clusters(&self) -> Vec<Cluster> {
        let (run, _) = run();
        let step = self.step("appcred");
        let all = step.cloud(&run).await.unwrap().clusters().await.unwrap();
        let mark = self.environment.name.to_string();
        all.into_iter()
            .filter(|one| one.labels.get("rsp_install_environment") == Some(&mark) && !one.status.deleting())
            .collect()
    }

    /// Deletes all that this scene made, and waits until it is gone.
    pub async fn clear(&self) {
        let (run, _) = run();
        let step = self.step("appcred");
        let cloud = step.cloud(&run).await.unwrap();
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
