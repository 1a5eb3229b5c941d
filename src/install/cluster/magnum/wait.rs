//! Waits for a cluster, with both witnesses.

use super::error::MagnumError;
use super::patience::{ApiServer, StallDetector, Testimony, interval, near_the_end};
use super::witness;
use crate::client::kubernetes;
use crate::client::openstack::{Cluster, Openstack};
use crate::engine::{Event, Run};
use crate::error::Failure;
use std::time::{Duration, Instant};

/// How long an old status is taken for one.
const LINGER: Duration = Duration::from_mins(1);

/// What is waited for.
pub struct Wait<'a> {
    /// The cloud.
    pub cloud: &'a Openstack,
    /// The cluster.
    pub uuid: &'a str,
    /// How many workers there must be; what Magnum says, when not given.
    pub workers: Option<u32>,
    /// When Magnum had last changed the row before it was asked to: the old status can linger after its answer.
    pub changed_before: Option<String>,
    /// How long nothing may move.
    pub stall: Duration,
}

impl Wait<'_> {
    /// Until both witnesses agree. `connect` makes a client once there is an address.
    pub async fn until_ready<F>(&self, run: &Run, connect: impl Fn(Cluster) -> F) -> Result<(), Failure>
    where
        F: Future<Output = Result<kubernetes::Cluster, Failure>>,
    {
        let begun = Instant::now();
        let mut stall = StallDetector::new(self.stall);
        let mut client = None;
        let mut last = None;
        loop {
            let Some(cluster) = self.cloud.cluster(self.uuid).await? else {
                let name = last.map_or_else(|| self.uuid.to_owned(), |seen: Testimony| seen.cluster.name);
                return Err(MagnumError::Gone { name, uuid: self.uuid.to_owned() }.into());
            };
            if cluster.status.failed() {
                return Err(failed(&cluster).into());
            }
            let groups = self.cloud.node_groups(self.uuid).await?;
            let api_server = match (&client, cluster.api_address.is_some()) {
                (Some(client), _) => witness::ask(client).await,
                (None, false) => ApiServer::NoAddress,
                (None, true) => {
                    let connected = connect(cluster.clone()).await?;
                    let answer = witness::ask(&connected).await;
                    client = Some(connected);
                    answer
                }
            };
            let seen = Testimony { cluster, groups, api_server };
            let enough = self.workers.is_none_or(|workers| seen.cluster.node_count == workers);
            let lingers = self.changed_before.is_some()
                && self.changed_before == seen.cluster.updated_at
                && begun.elapsed() < LINGER;
            if seen.is_done() && enough && !lingers {
                return Ok(());
            }
            tell(run, &seen);
            self.patience_ends(run, &seen, stall.stalled(&seen, begun.elapsed()))?;
            let near = near_the_end(&seen.cluster, &seen.groups, &seen.api_server);
            tokio::time::sleep(interval(begun.elapsed(), near).min(run.deadline.left())).await;
            last = Some(seen);
        }
    }

    fn patience_ends(&self, run: &Run, seen: &Testimony, still: Option<Duration>) -> Result<(), MagnumError> {
        let (name, uuid, last) = (seen.cluster.name.clone(), self.uuid.to_owned(), seen.told());
        if let Some(still) = still {
            return Err(MagnumError::Stalled { name, uuid, minutes: still.as_secs() / 60, last });
        }
        if run.deadline.passed() {
            return Err(MagnumError::OutOfTime { name, uuid, last });
        }
        Ok(())
    }
}

fn tell(run: &Run, seen: &Testimony) {
    run.outlet.events().tell(Event::Waiting {
        object: format!("cluster {}", seen.cluster.name),
        condition: "ready".to_owned(),
        message: seen.told(),
    });
}

/// A failed cluster as an error, with all that Magnum gives as reasons.
pub fn failed(cluster: &Cluster) -> MagnumError {
    MagnumError::Failed {
        name: cluster.name.clone(),
        uuid: cluster.uuid.clone(),
        status: cluster.status.to_string(),
        reason: Testimony::reasons(cluster),
    }
}
