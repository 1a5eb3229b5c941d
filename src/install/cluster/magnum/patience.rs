//! When to look again, and when to stop believing. Pure.

use crate::client::openstack::{Cluster, NodeGroup};
use std::time::Duration;

/// Looking is cheap at first and near the end, where somebody waits for the answer; in between it is rare.
const OFTEN: Duration = Duration::from_secs(2);
const RARE: Duration = Duration::from_secs(10);

/// How long nothing may change at all.
pub const STALL: Duration = Duration::from_mins(20);

/// How long until the next look, this long after the beginning. Near the end it is never more than two seconds.
pub fn interval(waited: Duration, near_the_end: bool) -> Duration {
    if near_the_end {
        return OFTEN;
    }
    (waited / 8).clamp(Duration::from_secs(1), RARE)
}

/// Whether the end is near: something of the cluster is ready already.
pub fn near_the_end(cluster: &Cluster, groups: &[NodeGroup], api_server: &ApiServer) -> bool {
    cluster.api_address.is_some() || groups.iter().any(|group| group.status.complete()) || !api_server.is_silent()
}

/// What the API server itself says, the second witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiServer {
    /// Magnum does not know its address yet.
    NoAddress,
    /// It does not answer.
    Silent {
        /// Why.
        why: String,
    },
    /// It answers, but is not ready.
    NotReady {
        /// Which of its checks fail.
        why: String,
    },
    /// It is ready.
    Ready {
        /// Workers that have registered. Not every cluster's masters do.
        workers: u32,
        /// Workers that are ready.
        ready: u32,
    },
}

impl ApiServer {
    fn is_silent(&self) -> bool {
        matches!(self, Self::NoAddress | Self::Silent { .. })
    }
}

impl std::fmt::Display for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAddress => f.write_str("the API server has no address yet"),
            Self::Silent { why } => write!(f, "the API server does not answer ({why})"),
            Self::NotReady { why } => write!(f, "the API server is not ready ({why})"),
            Self::Ready { workers, ready } => write!(f, "the API server is ready, {ready} of {workers} workers are"),
        }
    }
}

/// What both witnesses say at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Testimony {
    /// Magnum.
    pub cluster: Cluster,
    /// Magnum, group by group.
    pub groups: Vec<NodeGroup>,
    /// The API server.
    pub api_server: ApiServer,
}

impl Testimony {
    /// Whether both agree that it is done: Magnum has come to an end, and all workers are ready.
    pub fn is_done(&self) -> bool {
        let ready = matches!(self.api_server, ApiServer::Ready { ready, .. } if ready >= self.cluster.node_count);
        self.cluster.status.complete() && !self.cluster.status.deleting() && ready
    }

    /// For people.
    pub fn told(&self) -> String {
        let busy = self.groups.iter().filter(|group| !group.status.complete());
        let busy: Vec<String> = busy.map(|group| format!("{} {}", group.name, group.status)).collect();
        let groups = if busy.is_empty() { String::new() } else { format!(" ({})", busy.join(", ")) };
        let wanted = self.cluster.node_count;
        format!("Magnum says {}{groups}; {}, {wanted} wanted", self.cluster.status, self.api_server)
    }

    /// What Magnum gives as reasons, resource by resource.
    pub fn reasons(cluster: &Cluster) -> String {
        let faults = cluster.faults.iter().flatten().map(|(resource, fault)| {
            format!("{resource}: {}", fault.as_str().map_or_else(|| fault.to_string(), str::to_owned))
        });
        let reasons: Vec<String> = cluster.status_reason.clone().into_iter().chain(faults).collect();
        if reasons.is_empty() { "Magnum gives no reason".to_owned() } else { reasons.join("; ") }
    }
}

/// Notices that nothing moves.
#[derive(Debug)]
pub struct StallDetector {
    limit: Duration,
    last: Option<(String, Duration)>,
}

impl StallDetector {
    /// Patient for this long.
    pub fn new(limit: Duration) -> Self {
        Self { limit, last: None }
    }

    /// Takes what was seen this long after the beginning; how long nothing has moved, when that is too long.
    pub fn stalled(&mut self, testimony: &Testimony, waited: Duration) -> Option<Duration> {
        let seen = testimony.told();
        match &self.last {
            Some((last, since)) if *last == seen => {
                let still = waited.saturating_sub(*since);
                (still >= self.limit).then_some(still)
            }
            _ => {
                self.last = Some((seen, waited));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn testimony(status: &str, api_server: ApiServer) -> Testimony {
        let cluster = json!({
            "uuid": "u", "name": "stv", "cluster_template_id": "t", "keypair": "k", "master_count": 1, "node_count": 2,
            "status": status, "status_reason": "default-worker failed", "faults": {"default-worker": "No valid host"},
        });
        Testimony { cluster: serde_json::from_value(cluster).unwrap(), groups: Vec::new(), api_server }
    }

    #[test]
    fn polling_grows_to_ten_seconds_and_comes_back_to_two_near_the_end() {
        let at = |seconds, near| interval(Duration::from_secs(seconds), near).as_secs();
        assert_eq!([at(0, false), at(16, false), at(60, false), at(600, false)], [1, 2, 7, 10]);
        assert_eq!(at(600, true), 2);
        assert!((0..16).all(|second| interval(Duration::from_secs(second), false) <= Duration::from_secs(2)));
    }

    #[test]
    fn one_witness_is_not_enough() {
        assert!(!testimony("CREATE_COMPLETE", ApiServer::Silent { why: "refused".into() }).is_done());
        assert!(!testimony("CREATE_COMPLETE", ApiServer::Ready { workers: 2, ready: 1 }).is_done());
        assert!(!testimony("CREATE_IN_PROGRESS", ApiServer::Ready { workers: 2, ready: 2 }).is_done());
        assert!(testimony("UPDATE_COMPLETE", ApiServer::Ready { workers: 2, ready: 2 }).is_done());
    }

    #[test]
    fn a_stall_is_a_long_time_without_any_change() {
        let mut detector = StallDetector::new(Duration::from_mins(1));
        let quiet = testimony("CREATE_IN_PROGRESS", ApiServer::NoAddress);
        let at = Duration::from_secs;
        assert_eq!(detector.stalled(&quiet, at(0)), None);
        assert_eq!(detector.stalled(&quiet, at(59)), None);
        let moved = testimony("CREATE_IN_PROGRESS", ApiServer::Silent { why: "refused".into() });
        assert_eq!(detector.stalled(&moved, at(70)), None);
        assert_eq!(detector.stalled(&moved, at(131)), Some(at(61)));
    }

    #[test]
    fn reasons_come_with_their_resources() {
        let failed = testimony("CREATE_FAILED", ApiServer::NoAddress);
        assert_eq!(Testimony::reasons(&failed.cluster), "default-worker failed; default-worker: No valid host");
    }
}
