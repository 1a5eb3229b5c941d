//! Step `storage`: the declared storage classes are there, exactly one is the default, and a claim of a new one binds.
//!
//! The proof costs a volume, so it is only made when a class was changed. Classes that were not declared are left alone,
//! except that they stop being the default when a declared one is. A class that no update can make right is explained, and
//! made anew only by request (`--replace-class`).

mod fixed;
mod proof;

use super::error::InstallError;
use super::marker::NAMESPACE;
use super::site::Site;
use crate::client::kubernetes::Difference;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::environment::StorageClass;
use crate::error::{Failure, Kind};
use crate::templates;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;
use std::sync::Arc;

const API: &str = "storage.k8s.io/v1";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

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
    /// A class goes by request, because no update makes it right; the next change makes it anew.
    Remove {
        /// The class as it was seen.
        class: Box<DynamicObject>,
        /// What cannot be updated.
        because: String,
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
            Self::Remove { class, because } => {
                Described::new("delete", format!("StorageClass {} (asked for, because {because})", class.name_any()))
            }
            Self::RemoveProof(claim) => {
                Described::new("delete", format!("PersistentVolumeClaim {NAMESPACE}/{}", claim.name_any()))
            }
        }
    }
}

/// What is there, and how it differs.
pub(super) struct Classes {
    removals: Vec<(DynamicObject, fixed::Fixed)>,
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
        let replaceable = &self.0.options.replace_classes;
        check_request(replaceable, declared)?;
        if declared.is_empty() {
            return Ok(Observation::Skipped { because: "no storage class is declared".into() });
        }
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let cluster = snapshot.cluster();
        for class in declared.iter().filter(|class| fixed::is_in_tree(class)) {
            fixed::check_provisioner(class, snapshot.target().await?)?;
        }
        let (present, proofs) =
            tokio::try_join!(cluster.list(API, "StorageClass", None), proof::left_behind(&snapshot))?;
        let (mut removals, mut differences) = (Vec::new(), Vec::new());
        for class in declared {
            let object = object_of(class)?;
            let Some(found) = present.iter().find(|other| other.name_any() == class.class) else {
                differences.push((object, Difference::Missing));
                continue;
            };
            match fixed::difference(&object, found) {
                None => {
                    let difference = cluster.difference_to(&object, found).await?;
                    differences.extend(difference.map(|difference| (object, difference)));
                }
                Some(fixed) if replaceable.contains(&class.class) => {
                    removals.push((found.clone(), fixed));
                    differences.push((object, Difference::Missing));
                }
                Some(fixed::Fixed { field, found, declared }) => {
                    let class = class.class.clone();
                    return Err(InstallError::ImmutableClass { class, field, found, declared }.into());
                }
            }
        }
        let has_default = declared.iter().any(|class| class.default);
        let undeclared = |other: &&DynamicObject| declared.iter().all(|class| class.class != other.name_any());
        let surplus = present.iter().filter(undeclared).filter(|other| has_default && is_default(other));
        let surplus_defaults = surplus.map(demoted).collect::<Result<_, _>>()?;
        Ok(Observation::Known(Classes { removals, differences, surplus_defaults, proofs }))
    }

    fn plan(&self, observed: &Classes) -> Result<Vec<ClassChange>, Failure> {
        let boxed = |object: &DynamicObject| Box::new(object.clone());
        let remove = observed.proofs.iter().map(|claim| ClassChange::RemoveProof(boxed(claim)));
        let replace = observed
            .removals
            .iter()
            .map(|(class, fixed)| ClassChange::Remove { class: boxed(class), because: fixed.to_string() });
        let demote = observed.surplus_defaults.iter().map(|object| ClassChange::Demote { object: boxed(object) });
        let apply = observed
            .differences
            .iter()
            .map(|(object, difference)| ClassChange::Apply { object: boxed(object), difference: *difference });
        Ok(remove.chain(demote).chain(replace).chain(apply).collect())
    }

    async fn apply(&self, change: &ClassChange, run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let cluster = snapshot.cluster();
        match change {
            ClassChange::RemoveProof(claim) => proof::give_back(cluster, claim, run.deadline).await?,
            // Deleted as it was seen: one that somebody made anew in the meantime stays.
            ClassChange::Remove { class, .. } => cluster.delete(class).await?,
            ClassChange::Demote { object } => cluster.apply_over(object).await?,
            ClassChange::Apply { object, difference } => {
                cluster.apply(object, *difference).await?;
                proof::prove(cluster, &object.name_any(), run.deadline).await?;
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

/// A request must name declared classes: a slip of the pen must not pass for "nothing to replace".
fn check_request(replaceable: &[String], declared: &[StorageClass]) -> Result<(), InstallError> {
    let known = || declared.iter().map(|class| class.class.clone());
    match replaceable.iter().find(|name| known().all(|class| class != **name)) {
        Some(name) => Err(InstallError::NoClass { name: name.clone(), known: known().collect() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explain as _;
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
    fn only_declared_classes_can_be_asked_to_be_replaced() {
        assert!(check_request(&[], &[]).is_ok() && check_request(&["standard".into()], &[class()]).is_ok());
        let error = check_request(&["standrad".into()], &[class()]).unwrap_err();
        assert!(error.to_string().contains("standrad") && error.help()[0].contains("standard"), "{error}");
    }
}
