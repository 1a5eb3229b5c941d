//! Scenes with one environment's cluster.

use crate::cloud::{TestCloud, run};
use futures::future::BoxFuture;
use rsp_install::client::openstack::{Cluster, Openstack};
use rsp_install::engine::{AnyStep, Guard, Outcome, PlannedChange, Run, converge};
use rsp_install::environment::Environment;
use rsp_install::error::Failure;
use rsp_install::install::cluster::magnum::MagnumStep;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An environment with a cluster of its own name.
pub struct Scene {
    cloud: &'static TestCloud,
    folder: TempDir,
    environment: Environment,
}

struct Admit;

impl Guard for Admit {
    fn admit<'a>(&'a self, _: &'a [PlannedChange], _: &'a Run) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// Makes the step so.
pub async fn converge_once(step: &MagnumStep, run: &Run) -> Outcome {
    let steps: [&dyn AnyStep; 1] = [step];
    let _ = steps;
    unimplemented!()
}

impl Scene {
    /// With these further keys of `cluster.magnum`; `nodes: 2` unless they say otherwise.
    pub fn new(cloud: &'static TestCloud, name: &str, more: &str) -> Self {
        let nodes = if more.contains("nodes:") { "" } else { "nodes: 2, " };
        let template = if more.contains("template:") { "" } else { "template: rsp-template, " };
        let keypair = if more.contains("keypair:") { "" } else { "keypair: demo-key, " };
        let text = format!("{{name: {name}, cluster: {{magnum: {{name: {name}, {template}{keypair}{nodes}{more}}}}}}}");
        let environment = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        Self { cloud, folder: tempfile::tempdir().unwrap(), environment }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
