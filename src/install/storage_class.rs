//! Step `storage`: the declared storage classes are there, exactly one is the default, and a claim of a new one binds.
//!
//! The proof costs a volume, so it is only made when a class was changed. Classes that were not declared are left alone,
//! except that they stop being the default when a declared one is.

use super::error::InstallError;
use super::marker::NAMESPACE;
use super::site::Site;
use crate::client::kubernetes::{Cluster, Difference, Verdict, resource};
use crate::engine::{Deadline, Describe, Described, Observation, Run, Step};
use crate::environment::StorageClass;
use crate::error::{Failure, Kind};
use crate::templates;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const API: &str = "storage.k8s.io/v1";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// A volume is there in seconds, or something is wrong that waiting does not mend.
const PROOF_TIME: Duration = Duration::from_mins(5);

/// The step.
pub(super) struct StorageClassStep(pub Arc<Site>);

/// One change of classes.
pub(super) enum ClassChange {
    /// A class is created or brought back, and proved.
    Apply {
        /// What it should be.
        object: Box<DynamicObject>,
        /// How it differs.
        difference: Difference,
    },
    /// An undeclared class stops being the default.
    Demote {
        /// The class, with nothing but that.
        object: Box<DynamicObject>,
    },
    /// A claim that a killed run left behind goes.
    RemoveProof(Box<DynamicObject>),
}

impl Describe for ClassChange {
    fn describe(&self) -> Described {
        match self {
            Self::Apply { object, difference: Difference::Missing } => {
                Described::new("create", format!("StorageClass {}", object.name_any()))
            }
            Self::Apply { object, .. } => Described::new("update", format!("StorageClass {}", object.name_any())),
            Self::Demote { object } => {
                Described::new("update", format!("StorageClass {} (no longer the default)", object.name_any()))
            }
            Self::RemoveProof(claim) => {
                Described::new("delete", format!("PersistentVolumeClaim {NAMESPACE}/{}", claim.name_any()))
            }
        }
    }
}

/// What is there, and how it differs.
pub(super) struct Classes {
    differences: Vec<(DynamicObject, Difference)>,
    surplus_defaults: Vec<DynamicObject>,
    proofs: Vec<DynamicObject>,
}

impl Step for StorageClassStep {
    type Observed = Classes;
    type Change = ClassChange;

    fn name(&self) -> &'static str {
        "storage"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Classes>, Failure> {
        let declared = &self.0.loaded.environment.storage;
        if declared.is_empty() {
            return Ok(Observation::Skipped { because: "no storage class is declared".into() });
        }
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let cluster = snapshot.cluster();
        let present = cluster.list(API, "StorageClass", None).await?;
        let mut differences = Vec::new();
        for class in declared {
            let object = object_of(class)?;
            let found = present.iter().find(|other| other.name_any() == class.class);
            if let Some(found) = found {
                check_immutable(class, found)?;
            }
            let difference = match found {
                Some(found) => cluster.difference_to(&object, found).await?,
                None => Some(Difference::Missing),
            };
            differences.extend(difference.map(|difference| (object, difference)));
        }
        let has_default = declared.iter().any(|class| class.default);
        let undeclared = |other: &&DynamicObject| declared.iter().all(|class| class.class != other.name_any());
        let surplus = present.iter().filter(undeclared).filter(|other| has_default && is_default(other));
        let surplus_defaults = surplus.map(demoted).collect::<Result<_, _>>()?;
        let claims = cluster.list("v1", "PersistentVolumeClaim", Some(NAMESPACE)).await?;
        let proofs = claims.into_iter().filter(|claim| claim.name_any().starts_with(PROOF_PREFIX)).collect();
        Ok(Observation::Known(Classes { differences, surplus_defaults, proofs }))
    }

    fn plan(&self, observed: &Classes) -> Result<Vec<ClassChange>, Failure> {
        let boxed = |object: &DynamicObject| Box::new(object.clone());
        let remove = observed.proofs.iter().map(|claim| ClassChange::RemoveProof(boxed(claim)));
        let demote = observed.surplus_defaults.iter().map(|object| ClassChange::Demote { object: boxed(object) });
        let apply = observed
            .differences
            .iter()
            .map(|(object, difference)| ClassChange::Apply { object: boxed(object), difference: *difference });
        Ok(remove.chain(demote).chain(apply).collect())
    }

    async fn apply(&self, change: &ClassChange, run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let cluster = snapshot.cluster();
        match change {
            ClassChange::RemoveProof(claim) => cluster.delete(claim).await?,
            ClassChange::Demote { object } => drop(cluster.apply_over(object).await?),
            ClassChange::Apply { object, difference } => {
                cluster.apply(object, *difference).await?;
                prove(cluster, &object.name_any(), run.deadline).await?;
            }
        }
        Ok(())
    }
}

/// The class as the template makes it.
fn object_of(class: &StorageClass) -> Result<DynamicObject, Failure> {
    let wrong = |message: String| Failure::new(Kind::Failed, format!("template storage-class.yaml: {message}"));
    let text = templates::render("storage-class.yaml", class).map_err(|error| wrong(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn is_default(class: &DynamicObject) -> bool {
    class.annotations().get(DEFAULT).is_some_and(|value| value == "true")
}

/// Only the annotation, so that nothing else of somebody's class becomes ours.
fn demoted(class: &DynamicObject) -> Result<DynamicObject, Failure> {
    // The API server wants the provisioner in every apply of a class.
    serde_json::from_value(json!({
        "apiVersion": API, "kind": "StorageClass", "provisioner": class.data.get("provisioner"),
        "metadata": {"name": class.name_any(), "annotations": {DEFAULT: "false"}},
    }))
    .map_err(|error| Failure::new(Kind::Failed, error.to_string()))
}

/// The API server refuses to change these fields; say so before anything is written.
fn check_immutable(class: &StorageClass, found: &DynamicObject) -> Result<(), InstallError> {
    let text = |value: Option<&serde_json::Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let provisioner = found.data.get("provisioner").and_then(serde_json::Value::as_str).unwrap_or_default();
    let (field, found, declared) = if provisioner == class.provisioner {
        let declared = json!(class.parameters);
        let parameters = found.data.get("parameters").cloned().unwrap_or_else(|| json!({}));
        if parameters == declared {
            return Ok(());
        }
        ("parameters", text(Some(&parameters)), text(Some(&declared)))
    } else {
        ("provisioner", provisioner.to_owned(), class.provisioner.clone())
    };
    Err(InstallError::ImmutableClass { class: class.class.clone(), field, found, declared })
}

const PROOF_PREFIX: &str = "proof-of-";

/// Claims a volume of the class, waits until it is bound, and gives it back.
async fn prove(cluster: &Cluster, class: &str, deadline: Deadline) -> Result<(), Failure> {
    let name = format!("{PROOF_PREFIX}{class}");
    let claim: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }))
    .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let made = cluster.apply(&claim, Difference::Missing).await?;
    let kind = resource("v1", "PersistentVolumeClaim");
    let deadline = deadline.within(PROOF_TIME);
    let bound = cluster.wait_for_one(kind, (Some(NAMESPACE), &name), "Bound", deadline, |live| {
        match live.and_then(|claim| claim.data.pointer("/status/phase")).and_then(serde_json::Value::as_str) {
            Some("Bound") => Verdict::Done,
            Some("Lost") => Verdict::Never("its volume is lost".into()),
            Some(phase) => Verdict::NotYet(format!("it is {phase}")),
            None => Verdict::NotYet("it is not there yet".into()),
        }
    });
    bound.await?;
    Ok(cluster.delete(&made).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn class() -> StorageClass {
        StorageClass {
            class: "standard".into(),
            provisioner: "cinder.csi.openstack.org".into(),
            default: true,
            parameters: [("availability".to_owned(), "nova".to_owned())].into(),
        }
    }

    #[test]
    fn the_template_makes_a_class_with_everything_declared() {
        let object = object_of(&class()).unwrap();
        assert_eq!(object.name_any(), "standard");
        assert!(is_default(&object));
        assert_eq!(object.data["provisioner"], "cinder.csi.openstack.org");
        assert_eq!(object.data["parameters"], json!({"availability": "nova"}));
        let plain = object_of(&StorageClass { default: false, parameters: BTreeMap::default(), ..class() }).unwrap();
        assert!(!is_default(&plain));
    }

    #[test]
    fn a_class_with_other_parameters_is_explained_before_anything_is_written() {
        let found = object_of(&StorageClass { parameters: BTreeMap::default(), ..class() }).unwrap();
        let error = check_immutable(&class(), &found).unwrap_err().to_string();
        assert!(error.contains("another parameters: {}, declared is {\"availability\":\"nova\"}"), "{error}");
        assert!(check_immutable(&class(), &object_of(&class()).unwrap()).is_ok());
    }
}
