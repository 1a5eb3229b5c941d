//! A `VaultSecret` as data: what it asks for, and the Secret that answers it. Pure.

use super::secret_template::{View, render};
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The part of a `VaultSecret`'s `spec` that phalanx uses.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    /// Mount and path in Vault, without the `data` of KV version 2.
    pub path: String,
    /// Only these keys; all of them when there are none.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The Secret's keys and how they are made; the path's own keys when there are none.
    pub templates: Option<BTreeMap<String, String>>,
    /// The Secret's type.
    #[serde(rename = "type")]
    pub secret_type: Option<String>,
    /// A version of the path; the newest when it is 0.
    #[serde(default)]
    pub version: u64,
    /// Whether the values are base64 of what is meant.
    #[serde(default)]
    pub is_binary: bool,
}

/// The custom resource.
pub(super) fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("ricoberger.de", "v1alpha1", "VaultSecret"))
}

/// What the object asks for.
pub(super) fn spec_of(object: &DynamicObject) -> Result<Spec, String> {
    serde_json::from_value(object.data["spec"].clone()).map_err(|error| format!("invalid VaultSecret: {error}"))
}

/// The KV version 2 path that is read: the mount is the first part of the path, as in every phalanx environment.
pub(super) fn data_path(spec: &Spec) -> Result<String, String> {
    let (mount, path) = spec.path.split_once('/').ok_or("could not parse secret: the path has no mount")?;
    let version = if spec.version > 0 { format!("?version={}", spec.version) } else { String::new() };
    Ok(format!("{mount}/data/{path}{version}"))
}

/// The Secret that answers `object`, made from the values that Vault holds.
pub(super) fn secret_for(object: &DynamicObject, spec: &Spec, held: &Value) -> Result<Secret, String> {
    let data = match &spec.templates {
        None => values(spec, held)?,
        Some(templates) => {
            let texts = values(spec, held)?.into_iter();
            let secrets =
                texts.map(|(key, value)| (key, SecretValue::new(String::from_utf8_lossy(&value.0)))).collect();
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            let view = View { secrets: &secrets, path: &spec.path, namespace };
            let filled = templates.iter().map(|(key, template)| {
                Ok::<_, String>((key.clone(), ByteString(render(template, &view)?.expose().as_bytes().to_vec())))
            });
            filled.collect::<Result<_, _>>()?
        }
    };
    Ok(Secret {
        metadata: ObjectMeta {
            name: object.metadata.name.clone(),
            namespace: object.metadata.namespace.clone(),
            labels: object.metadata.labels.clone(),
            annotations: object.metadata.annotations.clone(),
            owner_references: object.controller_owner_ref(&resource()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(data),
        // The API server's own default, so that an unchanged Secret compares as such.
        type_: Some(spec.secret_type.clone().filter(|kind| !kind.is_empty()).unwrap_or_else(|| "Opaque".into())),
        ..Secret::default()
    })
}

fn values(spec: &Spec, held: &Value) -> Result<BTreeMap<String, ByteString>, String> {
    let Some(held) = held.as_object() else { return Err("could not parse secret".into()) };
    let mut data = BTreeMap::new();
    for (key, value) in held.iter().filter(|(key, _)| spec.keys.is_empty() || spec.keys.contains(key)) {
        let bytes = match value {
            Value::Null => continue,
            Value::String(text) if spec.is_binary => {
                STANDARD.decode(text).map_err(|_| format!("the value of {key} is not base64"))?
            }
            Value::String(text) => text.clone().into_bytes(),
            Value::Array(_) => return Err("could not parse secret value".into()),
            other => other.to_string().into_bytes(),
        };
        data.insert(key.clone(), ByteString(bytes));
    }
    if data.is_empty() { Err("invalid secret data".into()) } else { Ok(data) }
}

/// Whether the Secret that is there answers already.
pub(super) fn is_same(wanted: &Secret, found: &Secret) -> bool {
    wanted.data == found.data
        && wanted.type_ == found.type_
        && wanted.metadata.labels.clone().unwrap_or_default() == found.metadata.labels.clone().unwrap_or_default()
        && wanted.metadata.annotations.clone().unwrap_or_default()
            == found.metadata.annotations.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(spec: &Value, held: &Value) -> Result<BTreeMap<String, String>, String> {
        let mut object = DynamicObject::new("app", &resource()).within("ns").data(json!({"spec": spec}));
        object.metadata.uid = Some("1".into());
        let made = secret_for(&object, &spec_of(&object)?, held)?;
        assert_eq!(made.metadata.owner_references.unwrap_or_default()[0].kind, "VaultSecret");
        let data = made.data.unwrap_or_default().into_iter();
        Ok(data.map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect())
    }

    #[test]
    fn all_keys_are_copied_or_those_that_are_named_or_those_that_templates_make() {
        let held = json!({"a": "1", "b": "Mg==", "n": 3});
        let all = secret(&json!({"path": "secret/x"}), &held).unwrap();
        assert_eq!(all, BTreeMap::from([("a", "1"), ("b", "Mg=="), ("n", "3")].map(|(k, v)| (k.into(), v.into()))));
        let named = secret(&json!({"path": "secret/x", "keys": ["b"], "isBinary": true}), &held).unwrap();
        assert_eq!(named, BTreeMap::from([("b".to_owned(), "2".to_owned())]));
        let made = secret(&json!({"path": "secret/x", "templates": {"c": "<{% .Secrets.a %}>"}}), &held).unwrap();
        assert_eq!(made, BTreeMap::from([("c".to_owned(), "<1>".to_owned())]));
        assert_eq!(secret(&json!({"path": "secret/x", "keys": ["z"]}), &held).unwrap_err(), "invalid secret data");
    }

    #[test]
    fn the_path_is_read_as_version_two_of_kv() {
        let path = |spec: Value| data_path(&serde_json::from_value(spec).unwrap());
        assert_eq!(path(json!({"path": "secret/phalanx/x/app"})).unwrap(), "secret/data/phalanx/x/app");
        assert_eq!(path(json!({"path": "secret/x", "version": 2})).unwrap(), "secret/data/x?version=2");
        assert!(path(json!({"path": "secret"})).is_err());
    }
}
