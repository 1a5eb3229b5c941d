//! KV v2: secrets with versions.

use super::answer::{Envelope, Errors, Keys};
use super::http::{Reply, Request};
use super::{Vault, VaultError};
use crate::engine::Action;
use crate::secret_value::SecretValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The keys of a secret. Values that are no texts are not ours: they are kept as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KvData {
    /// The texts.
    pub texts: BTreeMap<String, SecretValue>,
    others: BTreeMap<String, serde_json::Value>,
}

/// A secret as it is stored.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its newest version, 0 when there never was one: what a check-and-set must name.
    pub version: u64,
    /// When that version was written, as Vault says it.
    pub created: String,
    /// Its keys; nothing when the newest version is deleted or there is none.
    pub data: Option<KvData>,
}

#[derive(Deserialize)]
struct ReadAnswer {
    data: Option<KvData>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
    #[serde(default)]
    created_time: String,
}

#[derive(Serialize)]
struct WriteBody<'a> {
    options: Options,
    data: &'a KvData,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
}

impl<'de> Deserialize<'de> for KvData {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut data = Self::default();
        for (key, value) in BTreeMap::<String, serde_json::Value>::deserialize(deserializer)? {
            match value {
                serde_json::Value::String(text) => drop(data.texts.insert(key, SecretValue::new(text))),
                other => drop(data.others.insert(key, other)),
            }
        }
        Ok(data)
    }
}

impl Serialize for KvData {
    /// For the body of a write, and for nothing else.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.texts {
            map.serialize_entry(key, value.expose())?;
        }
        for (key, value) in &self.others {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl KvData {
    /// The keys whose values are no texts.
    pub fn other_keys(&self) -> impl Iterator<Item = &String> {
        self.others.keys()
    }

    /// Sets a text.
    pub fn set(&mut self, key: &str, value: SecretValue) {
        self.others.remove(key);
        self.texts.insert(key.to_owned(), value);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.others.remove(key);
        self.texts.remove(key);
    }

    /// Whether no key is left.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.others.is_empty()
    }
}

impl Vault {
    /// The names below a path; folders end with a slash. Nothing where there is nothing.
    pub async fn list(&self, mount: &str, path: &str) -> Result<Vec<String>, VaultError> {
        let request = Request::list(vec![mount, "metadata", path]);
        let reply = self.send(request).await?;
        let keys: Option<Envelope<Keys>> = reply.read("LIST")?;
        Ok(keys.map(|envelope| envelope.data.keys).unwrap_or_default())
    }

    /// A secret with its version; the version of a deleted one, too.
    pub async fn read(&self, mount: &str, path: &str) -> Result<Stored, VaultError> {
        let reply = self.send(Request::get(vec![mount, "data", path])).await?;
        let call = format!("GET {mount}/data/{path}");
        let answer = match &reply {
            Reply::Body(_) => reply.read::<Envelope<ReadAnswer>>(&call)?.map(|envelope| envelope.data),
            // A deleted secret is "not found", with its metadata; one that never was is "not found" with nothing.
            Reply::NotFound(body) => {
                let errors: Errors = serde_json::from_slice(body).unwrap_or_default();
                errors.data.and_then(|data| serde_json::from_value(data).ok())
            }
        };
        Ok(answer.map_or_else(Stored::default, |ReadAnswer { data, metadata }| Stored {
            version: metadata.version,
            created: metadata.created_time,
            data,
        }))
    }

    /// Writes all keys of a secret, if its newest version still is `expected`; tells what is stored then.
    pub async fn write(&self, mount: &str, path: &str, data: &KvData, expected: u64) -> Result<Stored, VaultError> {
        let body = WriteBody { options: Options { cas: expected }, data };
        let stored =
            |Metadata { version, created_time }| Stored { version, created: created_time, data: Some(data.clone()) };
        let action = if expected == 0 { Action::Create } else { Action::Update };
        let call = async {
            let reply = self.send(Request::post(vec![mount, "data", path], &body)).await;
            match reply {
                Err(VaultError::Refused { status: 400, errors, .. }) if is_conflict(&errors) => {
                    Err(VaultError::Conflict { path: format!("{mount}/{path}") })
                }
                other => {
                    other?.read::<Envelope<Metadata>>("POST")?.map(|envelope| stored(envelope.data)).ok_or_else(|| {
                        VaultError::BadAnswer {
                            call: format!("POST {mount}/data/{path}"),
                            message: format!("there is no mount {mount}"),
                        }
                    })
                }
            }
        };
        self.written(action, format!("{mount}/{path}"), call).await
    }

    /// Deletes exactly this version of a secret (it can be undeleted); a newer one stays.
    pub async fn delete_version(&self, mount: &str, path: &str, version: u64) -> Result<(), VaultError> {
        let body = serde_json::json!({ "versions": [version] });
        let call = async { self.send(Request::post(vec![mount, "delete", path], &body)).await.map(drop) };
        self.written(Action::Delete, format!("{mount}/{path}"), call).await
    }
}

fn is_conflict(errors: &[String]) -> bool {
    errors.iter().any(|error| error.contains("check-and-set parameter did not match"))
}
