//! What changes about the objects that an application makes, from the text of its templates.
//!
//! Templates are no YAML before Helm has rendered them, and rendering every pair of commits would take minutes: kinds,
//! names and a few blocks are read by their lines. What a template computes is not seen.

use super::model::{ObjectChange, ObjectChangeKind};
use std::collections::BTreeSet;

const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];
const NAMED: [&str; 3] = ["Secret", "VaultSecret", "ConfigMap"];
/// Blocks that Kubernetes does not let change.
const IMMUTABLE: [(&str, &str); 4] = [
    ("StatefulSet", "volumeClaimTemplates"),
    ("StatefulSet", "selector"),
    ("Deployment", "selector"),
    ("PersistentVolumeClaim", "storageClassName"),
];

/// A template before and after.
pub(crate) struct TemplateChange {
    /// The file.
    pub(crate) file: String,
    /// Its text at the base.
    pub(crate) before: Option<String>,
    /// Its text upstream.
    pub(crate) after: Option<String>,
}

/// One object of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object<'a> {
    kind: &'a str,
    name: &'a str,
    text: &'a str,
}

impl Object<'_> {
    fn is_hook(&self) -> bool {
        self.text.contains("helm.sh/hook") || self.text.contains("argocd.argoproj.io/hook")
    }

    /// An indented block, or the rest of the line.
    fn block(&self, key: &str) -> Option<String> {
        let mut lines = self
            .text
            .lines()
            .skip_while(|line| line.trim_start().trim_start_matches("- ").split(':').next() != Some(key));
        let first = lines.next()?;
        let indent = first.len() - first.trim_start().len();
        let mut block = first.trim().to_owned();
        for line in lines.take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > indent) {
            block.push('\n');
            block.push_str(line.trim());
        }
        Some(block)
    }
}

/// The objects in a template's text.
fn objects(text: &str) -> Vec<Object<'_>> {
    let mut found = Vec::new();
    for document in text.split("\n---") {
        let Some(kind) = document.lines().find_map(|line| line.strip_prefix("kind:")) else { continue };
        let mut metadata = document.lines().skip_while(|line| line.trim_end() != "metadata:").skip(1);
        let name = metadata
            .by_ref()
            .take_while(|line| line.starts_with([' ', '{']) || line.is_empty())
            .find_map(|line| line.strip_prefix("  name:"));
        found.push(Object {
            kind: kind.trim().trim_matches('"'),
            name: name.unwrap_or_default().trim().trim_matches('"'),
            text: document,
        });
    }
    found
}

/// Compares the templates of one application that changed.
pub(crate) fn compare(changes: &[TemplateChange]) -> Vec<ObjectChange> {
    let mut found = BTreeSet::new();
    for change in changes {
        let before = change.before.as_deref().map(objects).unwrap_or_default();
        let after = change.after.as_deref().map(objects).unwrap_or_default();
        let mut tell = |kind, text: String| {
            found.insert(ObjectChange { kind, file: change.file.clone(), text });
        };
        for object in &after {
            let same = before
                .iter()
                .find(|old| old.kind == object.kind && (old.name == object.name || before.len() == after.len()));
            let Some(same) = same else { continue };
            for (_, key) in IMMUTABLE.iter().filter(|(kind, _)| *kind == object.kind) {
                if same.block(key) != object.block(key) && same.name == object.name {
                    tell(ObjectChangeKind::ImmutableField, format!("{key} of {} {} changes", object.kind, object.name));
                }
            }
            if object.kind == "Job" && !object.is_hook() && same.block("template") != object.block("template") {
                tell(ObjectChangeKind::Job, format!("the Job {} is no hook, and its pods change", object.name));
            }
        }
    }
    found.extend(moved(changes, &WORKLOADS, ObjectChangeKind::KindSwitch));
    found.extend(moved(changes, &NAMED, ObjectChangeKind::Renamed));
    found.into_iter().collect()
}

/// Objects of these kinds that the changed templates no longer make, with what they make instead.
fn moved(changes: &[TemplateChange], kinds: &[&str], kind: ObjectChangeKind) -> Vec<ObjectChange> {
    type Found<'a> = Vec<(&'a str, Object<'a>)>;
    fn all<'a>(
        changes: &'a [TemplateChange],
        kinds: &[&str],
        side: impl Fn(&'a TemplateChange) -> Option<&'a str>,
    ) -> Found<'a> {
        let texts = changes.iter().filter_map(|change| Some((change.file.as_str(), side(change)?)));
        let made = texts.flat_map(|(file, text)| objects(text).into_iter().map(move |object| (file, object)));
        made.filter(|(_, object)| kinds.contains(&object.kind)).collect()
    }
    let before = all(changes, kinds, |change| change.before.as_deref());
    let after = all(changes, kinds, |change| change.after.as_deref());
    let unmatched = |one: &Found<'_>, other: &Found<'_>| -> Vec<(String, String, String)> {
        one.iter()
            .filter(|(_, object)| !other.iter().any(|(_, same)| same.kind == object.kind && same.name == object.name))
            .map(|(file, object)| ((*file).to_owned(), object.kind.to_owned(), object.name.to_owned()))
            .collect()
    };
    let (gone, new) = (unmatched(&before, &after), unmatched(&after, &before));
    let mut told = Vec::new();
    for (file, old_kind, old_name) in gone {
        let instead = new.iter().find(|(new_file, new_kind, new_name)| {
            *new_name == old_name
                || *new_file == file
                || (new_kind != &old_kind && kind == ObjectChangeKind::KindSwitch)
        });
        let text = match instead {
            Some((_, new_kind, new_name)) => format!("{old_kind} {old_name} becomes {new_kind} {new_name}"),
            None => format!("{old_kind} {old_name} goes away"),
        };
        told.push(ObjectChange { kind, file, text });
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(file: &str, before: &str, after: &str) -> TemplateChange {
        let side = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        TemplateChange { file: file.into(), before: side(before), after: side(after) }
    }

    fn told(changes: &[TemplateChange]) -> Vec<(ObjectChangeKind, String)> {
        compare(changes).into_iter().map(|change| (change.kind, change.text)).collect()
    }

    const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: mobu\nspec:\n  selector:\n    matchLabels:\n      app: mobu\n  replicas: 1\n";

    #[test]
    fn a_deployment_that_becomes_a_stateful_set_is_a_switch() {
        let stateful = DEPLOYMENT.replace("Deployment", "StatefulSet");
        let want = [(ObjectChangeKind::KindSwitch, "Deployment mobu becomes StatefulSet mobu".to_owned())];
        assert_eq!(told(&[change("d.yaml", DEPLOYMENT, ""), change("s.yaml", "", &stateful)]), want);
        assert_eq!(told(&[change("d.yaml", DEPLOYMENT, &stateful)]), want);
    }

    #[test]
    fn a_changed_selector_is_immutable_and_changed_replicas_are_not() {
        assert!(told(&[change("d.yaml", DEPLOYMENT, &DEPLOYMENT.replace("replicas: 1", "replicas: 2"))]).is_empty());
        let other = DEPLOYMENT.replace("      app: mobu", "      app: other");
        assert_eq!(told(&[change("d.yaml", DEPLOYMENT, &other)])[0].0, ObjectChangeKind::ImmutableField);
    }

    #[test]
    fn a_job_that_changes_needs_its_deletion_unless_it_is_a_hook() {
        let job = "kind: Job\nmetadata:\n  name: x\nspec:\n  template:\n    a: 1\n";
        assert_eq!(told(&[change("j.yaml", job, &job.replace("a: 1", "a: 2"))])[0].0, ObjectChangeKind::Job);
        let hook = job.replace("  name: x", "  name: x\n  annotations:\n    helm.sh/hook: pre-upgrade");
        assert!(told(&[change("j.yaml", &hook, &hook.replace("a: 1", "a: 2"))]).is_empty());
    }

    #[test]
    fn a_vault_secret_with_another_name_is_told() {
        let secret = "apiVersion: x\nkind: VaultSecret\nmetadata:\n  name: mobu-secret\n";
        let want = "VaultSecret mobu-secret becomes VaultSecret mobu".to_owned();
        assert_eq!(
            told(&[change("v.yaml", secret, &secret.replace("mobu-secret", "mobu"))]),
            [(ObjectChangeKind::Renamed, want)]
        );
    }
}
