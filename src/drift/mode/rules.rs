//! The rules, in their order.

use super::{Advice, Mode};
use crate::drift::environment::is_storage_class;
use crate::drift::facts::Facts;
use crate::drift::known::{FLOORS, numbers};
use crate::drift::model::{EnvironmentChange, Level, Report, Signal, Step};

/// Stop signals that are settled in Git, not on the cluster.
const IN_GIT: [&str; 6] =
    ["merge-reverted", "env-renamed", "app-removed", "missing-env-file", "env-regression", "downgrade"];

/// What a rebuild needs before the new cluster is built.
const REBUILD: [&str; 6] = [
    "write down which volumes hold data that must survive, and snapshot or copy them",
    "reserve the address of the new load balancer, and lower the DNS records' time to live",
    "write every secret at the path that the new cluster will read: `rsp-install secrets sync`",
    "sync or write off every Application of the old cluster that is OutOfSync: what is only there is lost",
    "install a second cluster beside the old one, from an environment file of its own, and validate it",
    "switch DNS and the fork's values to the new cluster, watch it, and only then delete the old one",
];

/// Decides.
pub fn decide(report: &Report, facts: &Facts) -> Advice {
    let (rebuild, unknown) = rebuild_reasons(report, facts);
    let in_git: Vec<String> = report
        .signals
        .iter()
        .filter(|signal| signal.level == Level::Stop && IN_GIT.contains(&signal.id.as_str()))
        .map(|signal| format!("{} ({})", signal.title, signal.id))
        .collect();
    let staged = floors(report, facts);
    let procedures: Vec<String> = report
        .signals
        .iter()
        .filter(|signal| signal.level != Level::Warn && !IN_GIT.contains(&signal.id.as_str()))
        // Moves and minimums that the facts settle ask for nothing.
        .filter(|signal| !is_of_the_cluster(signal) || unknown.iter().any(|line| line.starts_with(&signal.id)))
        .map(|signal| format!("{} ({})", signal.title, signal.id))
        .collect();
    let (mode, mut reasons) = if !in_git.is_empty() {
        (Mode::NotMergeable, in_git)
    } else if !rebuild.is_empty() {
        (Mode::Rebuild, rebuild.clone())
    } else if !procedures.is_empty() || !staged.is_empty() {
        (Mode::UpgradeWithSteps, [staged, procedures].concat())
    } else {
        (Mode::Upgrade, vec!["nothing asks for more than a merge and a sync".to_owned()])
    };
    if mode == Mode::NotMergeable {
        reasons.extend(rebuild.into_iter().map(|reason| format!("and then: {reason}")));
    }
    let steps = match mode {
        Mode::Rebuild => {
            let first = REBUILD.iter().map(|text| Step { text: (*text).to_owned(), signal: None });
            first.collect()
        }
        _ => report.steps.clone(),
    };
    let unknown =
        unknown.into_iter().map(|line| line.split_once(": ").map_or(line.clone(), |(_, text)| text.to_owned()));
    Advice {
        environment: report.environment.name.clone(),
        mode,
        reasons,
        facts: facts.clone(),
        unknown: unknown.collect(),
        signals: report.signals.clone(),
        steps,
    }
}

/// Signals that facts of the cluster confirm or settle.
fn is_of_the_cluster(signal: &Signal) -> bool {
    signal.level == Level::Rebuild || signal.id == "kubernetes-min"
}

/// Reasons for a rebuild that hold, and those that cannot be judged (`signal: what is missing`).
fn rebuild_reasons(report: &Report, facts: &Facts) -> (Vec<String>, Vec<String>) {
    let (mut reasons, mut unknown) = (Vec::new(), Vec::new());
    let lowest = report.lowest_kubernetes.as_deref().and_then(numbers);
    match (facts.kubernetes.as_deref().and_then(numbers), lowest) {
        (Some(cluster), Some(lowest)) if cluster < lowest => {
            let below = format!(
                "the cluster has Kubernetes {}, upstream needs {}",
                facts.kubernetes.as_deref().unwrap_or_default(),
                report.lowest_kubernetes.as_deref().unwrap_or_default()
            );
            match facts.kubernetes_can_be_upgraded {
                Some(true) => unknown.push(format!("kubernetes-min: {below}: upgrade it first")),
                Some(false) => reasons.push(format!("{below}, and it cannot be upgraded")),
                None => unknown.push(format!("kubernetes-min: {below}: can it be upgraded (kubernetesCanBeUpgraded)?")),
            }
        }
        (None, Some(_)) if report.signals.iter().any(|signal| signal.id == "kubernetes-min") => {
            unknown.push("kubernetes-min: the cluster's Kubernetes version (kubernetes)".to_owned());
        }
        _ => {}
    }
    let vault = [
        ("vaultUrl", &facts.vault_url, &report.environment.vault_url),
        ("vaultPathPrefix", &facts.vault_path_prefix, &report.environment.vault_path_prefix),
    ];
    for (key, fact, after) in vault {
        match (fact, after) {
            (Some(now), Some(after)) if now.trim_end_matches('/') != after.trim_end_matches('/') => {
                reasons.push(format!("{key}: the cluster reads {now}, after the merge it would be {after}"));
            }
            (None, _) => unknown.extend(moved(report, key).map(|change| format!("vault-move: {}", told(change, key)))),
            _ => {}
        }
    }
    for (key, fact, name) in [
        ("loadBalancerIP", &facts.load_balancer, "loadBalancer"),
        ("storageClass", &facts.storage_class, "storageClass"),
    ] {
        let mut moves = moved(report, key).peekable();
        match fact {
            Some(now) => reasons.extend(moves.filter(|change| change.to.as_ref() != Some(now)).map(|change| {
                format!(
                    "{}: the cluster has {now}, after the merge it would be {}",
                    change.key,
                    text(change.to.as_ref())
                )
            })),
            None if moves.peek().is_some() => {
                unknown.extend(moves.map(|change| format!("placement: {}", told(change, name))));
            }
            None => {}
        }
    }
    if facts.database_is_disposable == Some(true) {
        reasons.extend(floors(report, facts).into_iter().map(|floor| format!("{floor}, and the database may be lost")));
    }
    (reasons, unknown)
}

/// Changes of a key that says where something is. A storage class has several spellings.
fn moved<'a>(report: &'a Report, key: &'a str) -> impl Iterator<Item = &'a EnvironmentChange> {
    report.environment.moves.iter().filter(move |change| {
        let last = change.key.rsplit('.').next().unwrap_or_default();
        last == key || (key == "storageClass" && is_storage_class(&change.key))
    })
}

fn told(change: &EnvironmentChange, fact: &str) -> String {
    format!(
        "{} goes from {} to {}: what does the cluster have ({fact})?",
        change.key,
        text(change.from.as_ref()),
        text(change.to.as_ref())
    )
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "nothing".to_owned())
}

/// Floors that would be skipped: from what is deployed when that is known, else from the merge base.
fn floors(report: &Report, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for application in &report.applications {
        let Some(change) = &application.app_version else { continue };
        let Some(to) = change.to.as_deref().and_then(numbers) else { continue };
        let from = facts.deployed.get(&application.name).or(change.from.as_ref());
        let Some(version) = from.and_then(|from| numbers(from)) else { continue };
        let skipped = FLOORS.iter().filter(|floor| floor.application == application.name);
        for floor in skipped.filter(|floor| to >= floor.from && version < floor.lowest) {
            let from = from.cloned().unwrap_or_default();
            found.push(format!("{} {from} is below the floor: {}", application.name, floor.source));
        }
    }
    found
}
