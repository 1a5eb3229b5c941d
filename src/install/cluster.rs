//! Step `cluster`: the cluster is there, is the declared one, and answers.

pub mod magnum;

use super::site::Site;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::environment::Cluster as Declared;
use crate::error::Failure;
use std::sync::Arc;

/// The step.
pub(super) struct ClusterStep(pub Arc<Site>);

/// Makes the cluster.
pub(super) struct StartSandbox;

impl Describe for StartSandbox {
    fn describe(&self) -> Described {
        Described::new("create", "local control plane")
    }
}

/// Whether there is a cluster that answers.
pub(super) struct Answering(bool);

impl Step for ClusterStep {
    type Observed = Answering;
    type Change = StartSandbox;

    fn name(&self) -> &'static str {
        "cluster"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Answering>, Failure> {
        // Somebody else's cluster must answer now; ours may be about to be made.
        if !matches!(self.0.loaded.environment.cluster()?, Declared::Sandbox(_)) {
            if let Some(snapshot) = self.0.snapshot().await? {
                snapshot.target().await?;
            }
            return Ok(Observation::Known(Answering(true)));
        }
        Ok(Observation::Known(Answering(self.0.running_sandbox()?.is_some())))
    }

    fn plan(&self, observed: &Answering) -> Result<Vec<StartSandbox>, Failure> {
        Ok(if observed.0 { Vec::new() } else { vec![StartSandbox] })
    }

    async fn apply(&self, _change: &StartSandbox, _run: &Run) -> Result<(), Failure> {
        self.0.sandbox()?.up().await?;
        self.0.look_again().await;
        Ok(())
    }
}
