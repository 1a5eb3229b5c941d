//! Secrets that the merge would ask for, or make superfluous: what the fork requires today against the merged tree.

use super::error::DriftError;
use super::model::{SecretChange, SecretChanges};
use super::snapshot::Snapshot;
use super::view::View;
use crate::error::Failure;
use crate::phalanx::{Application, Chart, Checkout, PhalanxEnvironment, PhalanxError, VaultPrefix};
use crate::secrets::{Class, SecretsError, required};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Compares the required secrets before and after.
pub(crate) fn changes(view: &View<'_>) -> Result<SecretChanges, DriftError> {
    let before = all(&view.fork, &view.name, &view.enabled)?;
    let after = all(&view.merged, &view.merged_name, &view.enabled_after)?;
    let only = |one: &Known, other: &Known| -> Vec<SecretChange> {
        // Of an application that could not be read on the other side nothing is known, not even that secrets are gone.
        let known = |application: &str| !other.unknown.contains(application);
        let missing = one.secrets.iter().filter(|(name, _)| !other.secrets.contains_key(*name) && known(&name.0));
        missing
            .map(|((application, key), is_static)| SecretChange {
                application: application.clone(),
                key: key.clone(),
                is_static: *is_static,
            })
            .collect()
    };
    Ok(SecretChanges { added: only(&after, &before), removed: only(&before, &after) })
}

/// What one side requires.
#[derive(Default)]
struct Known {
    /// Application and key, and whether somebody must supply it.
    secrets: BTreeMap<(String, String), bool>,
    /// Applications whose definitions or values cannot be read.
    unknown: BTreeSet<String>,
}

/// One application at a time: a broken definition is noted and hides no others.
fn all(side: &Snapshot, environment: &str, applications: &BTreeSet<String>) -> Result<Known, DriftError> {
    let checkout = Checkout::open(Arc::clone(&side.tree) as _)?;
    let mut known = Known::default();
    for application in applications {
        match required(&checkout, &alone(environment, application), &BTreeSet::new()) {
            Ok(secrets) => known.secrets.extend(
                secrets
                    .into_iter()
                    .map(|secret| ((application.clone(), secret.name.key.clone()), secret.class == Class::Static)),
            ),
            Err(error) => {
                // A missing values file is told as what it is.
                if !matches!(error, SecretsError::Phalanx(PhalanxError::MissingFile { .. })) {
                    side.note(&format!("applications/{application}/secrets.yaml"), Failure::from(error).message);
                }
                known.unknown.insert(application.clone());
            }
        }
    }
    Ok(known)
}

/// An environment with one application, as much of it as its secrets depend on.
fn alone(environment: &str, application: &str) -> PhalanxEnvironment {
    let chart =
        Chart { name: application.to_owned(), version: String::new(), app_version: None, dependencies: Vec::new() };
    PhalanxEnvironment {
        name: environment.to_owned(),
        fqdn: String::new(),
        app_of_apps_name: String::new(),
        vault_url: String::new(),
        vault_prefix: VaultPrefix { mount: String::new(), path: String::new() },
        repo_url: String::new(),
        target_revision: String::new(),
        revisions: BTreeMap::new(),
        onepassword: None,
        applications: vec![Application {
            name: application.to_owned(),
            project: None,
            namespace: application.to_owned(),
            directory: format!("applications/{application}"),
            chart,
        }],
    }
}
