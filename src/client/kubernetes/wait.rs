//! Waits that are watches with a reason: they end at once when the condition holds or can no longer hold.

use super::cluster::Cluster;
use super::error::KubernetesError;
use crate::engine::{Deadline, Event};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Event as ClusterEvent;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt as _};
use std::collections::BTreeMap;
use std::time::Instant;

/// What a look at the objects says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds.
    Done,
    /// Not yet, because.
    NotYet(String),
    /// It will not hold any more, because.
    Never(String),
}

/// Objects of a kind by namespace and name, as far as the watch has told.
pub(super) type Seen = BTreeMap<(String, String), DynamicObject>;

/// What is watched.
struct Watch<'a> {
    kind: ApiResource,
    namespace: Option<&'a str>,
    config: watcher::Config,
}

impl Cluster {
    /// Watches a kind until `judge` is content with its objects. `what` and `condition` are for people.
    pub async fn wait_for(
        &self,
        kind: ApiResource,
        namespace: Option<&str>,
        (what, condition): (&str, &str),
        deadline: Deadline,
        judge: impl FnMut(&Seen) -> Verdict,
    ) -> Result<(), KubernetesError> {
        let watch = Watch { kind, namespace, config: watcher::Config::default() };
        self.watch(watch, (what, condition), deadline, judge).await
    }

    /// Watches one object, which need not be there yet, until `judge` is content with it. No other is sent to us.
    pub async fn wait_for_one(
        &self,
        kind: ApiResource,
        (namespace, name): (Option<&str>, &str),
        condition: &str,
        deadline: Deadline,
        mut judge: impl FnMut(Option<&DynamicObject>) -> Verdict,
    ) -> Result<(), KubernetesError> {
        let place = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        let what = format!("{} {place}", kind.kind);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let judge = |seen: &Seen| judge(seen.values().next());
        self.watch(Watch { kind, namespace, config }, (&what, condition), deadline, judge).await
    }

    async fn watch(
        &self,
        Watch { kind, namespace, config }: Watch<'_>,
        (what, condition): (&str, &str),
        deadline: Deadline,
        mut judge: impl FnMut(&Seen) -> Verdict,
    ) -> Result<(), KubernetesError> {
        let begun = Instant::now();
        // Nobody waits for the content of a Secret: it must not even be in our memory.
        let mut stream = if kind.kind == "Secret" {
            let api: Api<PartialObjectMeta<DynamicObject>> = match namespace {
                Some(namespace) => Api::namespaced_with(self.client(), namespace, &kind),
                None => Api::all_with(self.client(), &kind),
            };
            watcher(api, config).map_ok(without_content).boxed()
        } else {
            watcher(self.api(&kind, namespace), config).boxed()
        };
        let (mut seen, mut next, mut reason) = (Seen::new(), Seen::new(), String::new());
        loop {
            let event = match tokio::time::timeout(deadline.left(), stream.next()).await {
                Ok(Some(Ok(event))) => event,
                // The watcher reconnects by itself; what it met is the reason until it succeeds.
                Ok(Some(Err(error))) => {
                    self.tell_waiting(what, condition, &mut reason, error.to_string());
                    continue;
                }
                Ok(None) | Err(_) => {
                    let events = self.last_events(namespace, what).await;
                    let (object, condition, elapsed) = (what.to_owned(), condition.to_owned(), begun.elapsed());
                    return Err(KubernetesError::TimedOut { object, condition, message: reason, events, elapsed });
                }
            };
            match event {
                watcher::Event::Init => {
                    next = Seen::new();
                    continue;
                }
                watcher::Event::InitApply(object) => {
                    next.insert(key(&object), object);
                    continue;
                }
                watcher::Event::InitDone => seen = std::mem::take(&mut next),
                watcher::Event::Apply(object) => {
                    seen.insert(key(&object), object);
                }
                watcher::Event::Delete(object) => {
                    seen.remove(&key(&object));
                }
            }
            match judge(&seen) {
                Verdict::Done => return Ok(()),
                Verdict::NotYet(message) => self.tell_waiting(what, condition, &mut reason, message),
                Verdict::Never(message) => {
                    let events = self.last_events(namespace, what).await;
                    let (object, condition) = (what.to_owned(), condition.to_owned());
                    return Err(KubernetesError::Hopeless { object, condition, message, events });
                }
            }
        }
    }

    /// Tells why we wait, once for each new reason.
    fn tell_waiting(&self, object: &str, condition: &str, reason: &mut String, message: String) {
        if *reason != message {
            reason.clone_from(&message);
            let (object, condition) = (object.to_owned(), condition.to_owned());
            self.outlet().events().tell(Event::Waiting { object, condition, message });
        }
    }

    /// The last warnings of the namespace that mention the object's name; empty when they cannot be had.
    async fn last_events(&self, namespace: Option<&str>, what: &str) -> String {
        let api: Api<ClusterEvent> = match namespace {
            Some(namespace) => Api::namespaced(self.client(), namespace),
            None => Api::all(self.client()),
        };
        let name = what.rsplit(['/', ' ']).next().unwrap_or(what);
        let Ok(events) = api.list(&ListParams::default().fields("type=Warning")).await else { return String::new() };
        let mut lines: Vec<String> = events
            .items
            .iter()
            .filter(|event| event.involved_object.name.as_deref().is_some_and(|involved| involved.contains(name)))
            .filter_map(|event| Some(format!("\n  event: {}: {}", event.reason.as_deref()?, event.message.as_deref()?)))
            .collect();
        lines.split_off(lines.len().saturating_sub(3)).concat()
    }
}

fn without_content(event: watcher::Event<PartialObjectMeta<DynamicObject>>) -> watcher::Event<DynamicObject> {
    let object = |found: PartialObjectMeta<DynamicObject>| DynamicObject {
        types: found.types,
        metadata: found.metadata,
        data: serde_json::Value::Null,
    };
    match event {
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(found) => watcher::Event::InitApply(object(found)),
        watcher::Event::InitDone => watcher::Event::InitDone,
        watcher::Event::Apply(found) => watcher::Event::Apply(object(found)),
        watcher::Event::Delete(found) => watcher::Event::Delete(object(found)),
    }
}

fn key(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
