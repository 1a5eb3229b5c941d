//! Waits on Applications; Argo CD is asked to look again at those that do not move.
//!
//! Argo CD's controller sometimes misses an operation that is written just as another one on the same Application ends, and
//! health that changed meanwhile: it sees them at its next resync, minutes later. Its own remedy is the refresh annotation,
//! which it takes away when it has looked. It is written through the outlet like everything else, and only in a wait that
//! has stood still: a run that changes nothing never waits.

use super::snapshot::{ARGOCD, ARGOCD_API};
use crate::client::kubernetes::{Cluster, Patchable, Verdict, resource};
use crate::engine::Deadline;
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an Application may stand still before Argo CD is asked to look again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `judge` is content with each of these Applications. `condition` is for people.
pub(super) async fn wait_for_applications(
    cluster: &Cluster,
    applications: &[&str],
    condition: &str,
    deadline: Deadline,
    mut judge: impl FnMut(&DynamicObject) -> Verdict,
) -> Result<(), Failure> {
    let standing = Standing::default();
    let (what, prefixed) = match applications {
        [name] => (format!("Application {ARGOCD}/{name}"), false),
        _ => ("Applications".to_owned(), true),
    };
    let about = |name: &str, reason: String| if prefixed { format!("{name} {reason}") } else { reason };
    let kind = resource(ARGOCD_API, "Application");
    let wait = cluster.wait_for(kind, Some(ARGOCD), (&what, condition), deadline, |seen| {
        let mut reasons = Vec::new();
        for name in applications {
            let live = seen.get(&(ARGOCD.to_owned(), (*name).to_owned()));
            let verdict = live.map_or_else(|| Verdict::NotYet("is not there yet".into()), &mut judge);
            standing.note(name, live.filter(|_| verdict != Verdict::Done));
            match verdict {
                Verdict::Done => {}
                Verdict::NotYet(reason) => reasons.push(about(name, reason)),
                Verdict::Never(reason) => return Verdict::Never(about(name, reason)),
            }
        }
        if reasons.is_empty() { Verdict::Done } else { Verdict::NotYet(reasons.join(", ")) }
    });
    tokio::select! {
        ended = wait => Ok(ended?),
        never = ask_again(cluster, &standing) => match never {},
    }
}

/// An Application as an object to be patched.
pub(super) fn patchable(application: &str) -> Patchable {
    Patchable {
        group_version: ARGOCD_API,
        kind: "Application",
        namespace: ARGOCD.to_owned(),
        name: application.to_owned(),
    }
}

/// Asks for a refresh of what stands still, again and again. That it cannot be asked is no failure: the wait tells.
async fn ask_again(cluster: &Cluster, standing: &Standing) -> std::convert::Infallible {
    let refresh = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
    let mut look = tokio::time::interval(PATIENCE / 5);
    loop {
        look.tick().await;
        for name in standing.take_longer_than(PATIENCE) {
            let _ = cluster.merge(&patchable(&name), &refresh).await;
        }
    }
}

/// Since when each Application that is waited for has had the same version.
#[derive(Default)]
struct Standing(Mutex<BTreeMap<String, (Option<String>, Instant)>>);

impl Standing {
    /// Notes what was seen: nothing when the Application is no longer waited for.
    fn note(&self, name: &str, live: Option<&DynamicObject>) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(live) = live else {
            standing.remove(name);
            return;
        };
        let version = live.resource_version();
        if standing.get(name).is_none_or(|(known, _)| *known != version) {
            standing.insert(name.to_owned(), (version, Instant::now()));
        }
    }

    /// Those that have stood for so long; each is told once for each time that long.
    fn take_longer_than(&self, patience: Duration) -> Vec<String> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let long = standing.iter_mut().filter(|(_, (_, since))| since.elapsed() >= patience);
        long.map(|(name, (_, since))| {
            *since = Instant::now();
            name.clone()
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(version: &str) -> DynamicObject {
        let mut object = DynamicObject::new("sherlock", &resource(ARGOCD_API, "Application"));
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    #[test]
    fn only_what_did_not_change_for_that_long_is_taken_and_once() {
        let standing = Standing::default();
        standing.note("sherlock", Some(&application("1")));
        assert!(standing.take_longer_than(PATIENCE).is_empty());
        assert_eq!(standing.take_longer_than(Duration::ZERO), ["sherlock"]);
        let before = standing.0.lock().unwrap()["sherlock"].1;
        standing.note("sherlock", Some(&application("1")));
        assert_eq!(standing.0.lock().unwrap()["sherlock"].1, before, "the same version does not start the clock again");
        standing.note("sherlock", Some(&application("2")));
        assert!(standing.0.lock().unwrap()["sherlock"].1 > before);
        standing.note("sherlock", None);
        assert!(standing.take_longer_than(Duration::ZERO).is_empty());
    }
}
