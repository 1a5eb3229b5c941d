//! What a chart renders, sorted into what is applied when.

use super::error::HelmError;
use super::hook::Hook;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, TypeMeta};
use serde::Deserialize as _;
use serde_json::Value;

/// The rendered objects of a chart.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    /// Custom resource definitions: their kinds must be there before anything else.
    pub definitions: Vec<DynamicObject>,
    /// Everything else that stays, in Helm's order of kinds.
    pub objects: Vec<DynamicObject>,
    /// Hooks, by weight.
    pub hooks: Vec<Hook>,
}

/// Kinds that others refer to come first; this is Helm's own order, as far as it matters to an API server.
const ORDER: [&str; 14] = [
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
];

impl Manifests {
    /// Reads the documents that helm wrote. Objects of a namespaced kind without a namespace get `namespace` when they are
    /// applied; which kinds those are only the server knows, so it is set on all and ignored where it does not belong.
    pub(super) fn parse(application: &str, namespace: &str, yaml: &str) -> Result<Vec<Value>, HelmError> {
        let wrong = |message: String| HelmError::NoObject { application: application.to_owned(), message };
        let mut objects = Vec::new();
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let object = Value::deserialize(document).map_err(|error| wrong(error.to_string()))?;
            if object.is_null() {
                continue;
            }
            let mut object = object;
            match object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                Some(metadata) => metadata.entry("namespace").or_insert_with(|| Value::from(namespace)),
                None => return Err(wrong(format!("a document without metadata: {:.80}", object.to_string()))),
            };
            objects.push(object);
        }
        Ok(objects)
    }

    /// Sorts objects into definitions, hooks and the rest.
    pub(super) fn sort(application: &str, values: Vec<Value>) -> Result<Self, HelmError> {
        let mut sorted = Self::default();
        for value in values {
            let object = object_of(value).map_err(|error| HelmError::NoObject {
                application: application.to_owned(),
                message: error.to_string(),
            })?;
            if Hook::is_one(&object) {
                sorted.hooks.extend(Hook::of(&object));
            } else if kind(&object) == "CustomResourceDefinition" {
                sorted.definitions.push(object);
            } else {
                sorted.objects.push(object);
            }
        }
        let rank =
            |object: &DynamicObject| ORDER.iter().position(|known| *known == kind(object)).unwrap_or(ORDER.len());
        sorted.objects.sort_by_key(rank);
        sorted.hooks.sort_by_key(|hook| (hook.weight, rank(&hook.object), hook.object.name_any()));
        Ok(sorted)
    }
}

/// The same object with its content moved: definitions are megabytes, and a typed read would copy them twice.
fn object_of(mut value: Value) -> Result<DynamicObject, serde_json::Error> {
    let mut part = |name: &str| value.as_object_mut().and_then(|object| object.remove(name)).unwrap_or_default();
    let types = TypeMeta {
        api_version: serde_json::from_value(part("apiVersion"))?,
        kind: serde_json::from_value(part("kind"))?,
    };
    let metadata = serde_json::from_value(part("metadata"))?;
    Ok(DynamicObject { types: Some(types), metadata, data: value })
}

fn kind(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::hook::HookEvent;
    use super::*;

    const YAML: &str = "---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: d}\n---\n---\nkind: ServiceAccount\napiVersion: v1\n\
                        metadata: {name: s, namespace: own}\n---\nkind: Job\napiVersion: batch/v1\nmetadata:\n  name: j\n  annotations: \
                        {helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-weight: \"2\", helm.sh/hook-delete-policy: hook-succeeded}\n---\n\
                        kind: Pod\napiVersion: v1\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n";

    #[test]
    fn objects_are_sorted_and_hooks_stand_apart() {
        let values = Manifests::parse("x", "argocd", YAML).unwrap();
        let sorted = Manifests::sort("x", values).unwrap();
        let names: Vec<_> =
            sorted.objects.iter().map(|object| (object.name_any(), object.namespace().unwrap())).collect();
        assert_eq!(names, [("s".into(), "own".into()), ("d".into(), "argocd".into())]);
        let [hook] = &sorted.hooks[..] else { panic!("{:?}", sorted.hooks) };
        assert_eq!((hook.event, hook.weight, hook.delete_when_done), (HookEvent::PreInstall, 2, true));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(matches!(Manifests::parse("x", "n", "just text"), Err(HelmError::NoObject { .. })));
        assert!(matches!(Manifests::parse("x", "n", "a: [1"), Err(HelmError::NoObject { .. })));
    }
}
