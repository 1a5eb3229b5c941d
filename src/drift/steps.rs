//! What to do, in order: first what Git can settle, then secrets, schemas, workloads, the sync, Argo CD last.

use super::environment_files::belongs_to;
use super::model::{ApplicationReport, Bump, Conflict, Level, SecretChanges, Signal, Step};

/// The order of the steps that signals ask for, and their words.
const ORDER: [(&str, &str); 20] = [
    ("merge-reverted", "revert the revert on a branch of its own, then merge upstream into that"),
    (
        "env-renamed",
        "decide which environment takes this one's settings, and copy its files by hand: do not let Git pair them",
    ),
    ("app-removed", "do the written migration of each removed application, while the old version still runs"),
    ("env-regression", "keep this environment's own values in the merge, or agree with upstream on the new ones"),
    ("downgrade", "keep the higher version in the merge, or find out why upstream went back"),
    ("floor-version", "upgrade in stages through the lowest version named, or start with an empty database"),
    ("missing-env-file", "add the missing values files (they may be empty), or turn the application off"),
    ("stale-override", "take settings that no chart knows out of the environment's files"),
    ("sweep", "read what upstream edited for other environments, and copy what applies here"),
    ("kubernetes-min", "compare the cluster's Kubernetes version with the new minimum"),
    ("vault-move", "write all secrets at the new Vault path before anything is synced"),
    ("placement", "check that the address, storage class and file server of the merged files exist"),
    ("new-secret", "supply the new static secrets: `rsp-install secrets audit`, then `secrets sync --static FILE`"),
    ("crd", "apply changed custom resource definitions before the applications that use them"),
    ("schema", "for each database: stop its writers, set the schema update to true, sync, set it back to false"),
    ("project-move", "sync the app-of-apps first, so that moved applications are known at their new place"),
    ("job-immutable", "delete the Jobs named before their sync"),
    ("kind-switch", "delete the workloads that change kind or an immutable field just before their sync"),
    ("resource-rename", "expect new Secrets and ConfigMaps: restart what reads the old ones"),
    ("labs-incompatible", "ask users to save their work; stop their labs and rebuild the images"),
];

/// The steps of an upgrade in place.
pub(crate) fn steps(
    environment: &str,
    signals: &[Signal],
    conflicts: &[Conflict],
    secrets: &SecretChanges,
    applications: &[ApplicationReport],
) -> Vec<Step> {
    let mut steps = Vec::new();
    let plain = |text: String| Step { text, signal: None };
    let asked = |id: &str, text: &str| Step { text: text.to_owned(), signal: Some(id.to_owned()) };
    let holds = |id: &str| signals.iter().any(|signal| signal.id == id);
    let before_merge = |id: &str| matches!(id, "merge-reverted" | "env-renamed" | "app-removed");
    for (id, text) in ORDER.iter().filter(|(id, _)| before_merge(id) && holds(id)) {
        steps.push(asked(id, text));
    }
    match conflicts {
        [] => steps.push(plain("merge upstream: there are no conflicts".into())),
        [one] => steps.push(plain(format!("merge upstream and resolve {} ({})", one.path, one.kind))),
        several => {
            let own = several.iter().filter(|one| belongs_to(&one.path, environment)).count();
            let rest = if own > 0 { format!(", {own} of them in this environment's files") } else { String::new() };
            steps.push(plain(format!("merge upstream and resolve {} conflicts{rest}", several.len())));
        }
    }
    for (id, text) in ORDER.iter().filter(|(id, _)| !before_merge(id)) {
        if holds(id) {
            steps.push(asked(id, text));
        } else if *id == "new-secret" && !secrets.added.is_empty() {
            steps.push(plain("run `rsp-install secrets sync`: the new secrets are generated or copied".into()));
        }
    }
    steps.push(plain("give the notices and get the okay that the environment's policy asks for, then sync".into()));
    let is_argocd = |application: &ApplicationReport| {
        application.dependencies.iter().any(|one| one.name == "argo-cd" && one.change.bump != Bump::None)
    };
    if applications.iter().any(is_argocd) {
        let major = signals.iter().find(|signal| signal.id == "argocd-major" && signal.level == Level::Procedure);
        steps.push(Step {
            text: "sync argocd last: it restarts under its own upgrade".into(),
            signal: major.map(|signal| signal.id.clone()),
        });
    }
    if !secrets.removed.is_empty() {
        steps.push(plain("afterwards remove secrets that nobody reads: `rsp-install secrets sync --delete`".into()));
    }
    steps
}
