//! What of a storage class cannot be changed once it is there, and which provisioner is there no more. Pure.

use super::super::error::InstallError;
use crate::client::helm::Target;
use crate::environment::StorageClass;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// Fields that the API server refuses to change.
const FIXED: [&str; 4] = ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"];

/// Kubernetes' own provisioner for Cinder, and the last minor version that had it.
const IN_TREE: (&str, u32) = ("kubernetes.io/cinder", 25);

/// A difference that no update removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fixed {
    /// The field.
    pub field: &'static str,
    /// What is there.
    pub found: String,
    /// What is declared.
    pub declared: String,
}

impl std::fmt::Display for Fixed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its {} is {}, declared is {}", self.field, self.found, self.declared)
    }
}

/// The first difference between a declared class and the one that is there which no update removes.
pub(super) fn difference(declared: &DynamicObject, found: &DynamicObject) -> Option<Fixed> {
    let value = |object: &DynamicObject, field: &str| match object.data.get(field) {
        // No parameters are the same as an empty list of them.
        None | Some(Value::Null) => json!({}),
        Some(value) => value.clone(),
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    FIXED.into_iter().find_map(|field| {
        let (found, declared) = (value(found, field), value(declared, field));
        (found != declared).then(|| Fixed { field, found: text(&found), declared: text(&declared) })
    })
}

/// Whether this class wants the provisioner that came with Kubernetes itself.
pub(super) fn is_in_tree(class: &StorageClass) -> bool {
    class.provisioner == IN_TREE.0
}

/// Refuses a provisioner that this version of Kubernetes does not have any more.
pub(super) fn check_provisioner(class: &StorageClass, target: &Target) -> Result<(), InstallError> {
    if is_in_tree(class) && target.minor().is_some_and(|minor| minor > IN_TREE.1) {
        return Err(InstallError::NoProvisioner {
            class: class.class.clone(),
            provisioner: class.provisioner.clone(),
            kubernetes: target.kubernetes.clone(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explain as _;

    fn class(provisioner: &str, more: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"},
            "provisioner": provisioner, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
        });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn every_field_that_cannot_be_changed_is_explained_and_no_other_one() {
        let plain = class("cinder.csi.openstack.org", &json!({}));
        let told =
            |more: &Value| difference(&plain, &class("cinder.csi.openstack.org", more)).map(|one| one.to_string());
        assert_eq!(told(&json!({"allowVolumeExpansion": false, "parameters": null})), None);
        assert_eq!(told(&json!({"parameters": {}})), None);
        let parameters = told(&json!({"parameters": {"availability": "nova"}}));
        assert_eq!(parameters.unwrap(), "its parameters is {\"availability\":\"nova\"}, declared is {}");
        assert_eq!(
            told(&json!({"reclaimPolicy": "Retain"})).unwrap(),
            "its reclaimPolicy is Retain, declared is Delete"
        );
        assert!(told(&json!({"volumeBindingMode": "WaitForFirstConsumer"})).is_some());
        assert_eq!(difference(&plain, &class("kubernetes.io/cinder", &json!({}))).unwrap().field, "provisioner");
    }

    #[test]
    fn the_provisioner_inside_kubernetes_is_refused_where_it_has_gone() {
        let class = |provisioner: &str| StorageClass {
            class: "standard".into(),
            provisioner: provisioner.into(),
            default: true,
            parameters: std::collections::BTreeMap::new(),
        };
        let target = |kubernetes: &str| Target { kubernetes: kubernetes.into(), api_versions: Vec::new() };
        let old = class("kubernetes.io/cinder");
        assert!(check_provisioner(&old, &target("v1.25.16")).is_ok());
        for gone in ["v1.26.0", "v1.30+"] {
            let error = check_provisioner(&old, &target(gone)).unwrap_err();
            assert!(error.help()[0].contains("cinder.csi.openstack.org"), "{error}");
        }
        assert!(check_provisioner(&class("cinder.csi.openstack.org"), &target("v1.34.1")).is_ok());
    }
}
