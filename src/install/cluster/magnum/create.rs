//! The one call that may not be made twice.
//!
//! Our mark and the run's number are in the call itself. A lost answer is looked up by the number; a second run that
//! asked at the same time is found by the mark: whoever's cluster is younger deletes it again and leaves.

use super::error::MagnumError;
use super::identify;
use super::wanted::{RUN_LABEL, Wanted};
use crate::client::openstack::{Cluster, Openstack, OpenstackError};
use std::time::{Duration, Instant};

/// How long a row may be missing: Magnum answers before its conductor has written it.
const ROW: Duration = Duration::from_mins(1);

/// Creates the cluster; its UUID.
pub async fn create(cloud: &Openstack, wanted: &Wanted, template: &str) -> Result<String, MagnumError> {
    let run = format!("{:032x}", rand::random::<u128>());
    let uuid = match cloud.create_cluster(&wanted.new_cluster(template, &run)).await {
        Ok(uuid) => uuid,
        Err(error) if error.is_lost_reply() => look_up(cloud, wanted, &run, error).await?,
        Err(error) => return Err(error.into()),
    };
    let ours = until_there(cloud, &uuid).await?.ok_or_else(|| gone(wanted, &uuid))?;
    yield_to_earlier(cloud, wanted, &ours).await?;
    Ok(uuid)
}

/// The answer is lost: was it done?
async fn look_up(cloud: &Openstack, wanted: &Wanted, run: &str, source: OpenstackError) -> Result<String, MagnumError> {
    cloud
        .events()
        .warn(format!("the answer to the create call was lost ({source}); looking for the cluster by its mark"));
    let begun = Instant::now();
    loop {
        let all = cloud.clusters().await?;
        if let Some(found) = all.into_iter().find(|one| one.labels.get(RUN_LABEL).is_some_and(|label| label == run)) {
            return Ok(found.uuid);
        }
        if begun.elapsed() > ROW / 2 {
            return Err(MagnumError::Lost { name: wanted.magnum.name.clone(), source: Box::new(source) });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn until_there(cloud: &Openstack, uuid: &str) -> Result<Option<Cluster>, MagnumError> {
    let begun = Instant::now();
    loop {
        match cloud.cluster(uuid).await? {
            None if begun.elapsed() < ROW => tokio::time::sleep(Duration::from_millis(500)).await,
            row => return Ok(row),
        }
    }
}

/// Two runs may have found nothing and created at once. A row is dated when it is written, so the younger one's run
/// always sees the older row.
async fn yield_to_earlier(cloud: &Openstack, wanted: &Wanted, ours: &Cluster) -> Result<(), MagnumError> {
    let age = |cluster: &Cluster| (cluster.created_at.clone(), cluster.uuid.clone());
    for other in cloud.clusters().await? {
        if !identify::carries_mark(wanted, &other) || other.uuid == ours.uuid || other.status.deleting() {
            continue;
        }
        let Some(other) = cloud.cluster(&other.uuid).await? else { continue };
        if age(&other) < age(ours) {
            cloud.delete_cluster(&ours.uuid).await?;
            return Err(MagnumError::Held {
                name: wanted.magnum.name.clone(),
                environment: wanted.environment.clone(),
                first: other.uuid,
                ours: ours.uuid.clone(),
            });
        }
    }
    Ok(())
}

fn gone(wanted: &Wanted, uuid: &str) -> MagnumError {
    MagnumError::Gone { name: wanted.magnum.name.clone(), uuid: uuid.to_owned() }
}
