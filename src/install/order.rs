//! In which order Applications are first synced: phalanx's own, as data.
//!
//! Source: `phalanx environment install` (`services/environment.py`). Its wait for cert-manager's webhook is that of the
//! older `install.sh`, which today's installer dropped to its users' loss.

/// What must hold before the next stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// A workload has rolled out: kind, namespace, name.
    Rollout(&'static str, &'static str, &'static str),
    /// Every custom resource definition is served.
    Definitions,
    /// A dry-run request passes through the webhooks of cert-manager.
    CertManagerWebhook,
    /// Gafaelfawr is restarted, once: it looks for Kafka only when it starts.
    GafaelfawrRestart,
}

/// The named stages. Applications that are not here follow all together.
const STAGES: &[(&[&str], &[Ready])] = &[
    (
        &["argocd"],
        &[
            Ready::Rollout("Deployment", "argocd", "argocd-server"),
            Ready::Rollout("Deployment", "argocd", "argocd-repo-server"),
            Ready::Rollout("StatefulSet", "argocd", "argocd-application-controller"),
        ],
    ),
    (&["gke"], &[]),
    (&["ingress-nginx"], &[]),
    (&["cert-manager"], &[Ready::Definitions, Ready::CertManagerWebhook]),
    (&["postgres"], &[]),
    (&["gafaelfawr"], &[Ready::Definitions]),
    (&["grafana"], &[Ready::Definitions]),
    (&["strimzi"], &[Ready::Definitions]),
    (&["strimzi-access-operator"], &[Ready::Definitions]),
    (&["strimzi-registry-operator"], &[Ready::Definitions]),
    (&["sasquatch"], &[Ready::GafaelfawrRestart]),
];

/// A stage of one run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stage<'a> {
    /// Synced together.
    pub applications: Vec<&'a str>,
    /// Waited for afterwards.
    pub ready: &'static [Ready],
}

/// Sorts Applications into stages; stages without any are left out.
pub(super) fn stages<'a>(applications: impl Iterator<Item = &'a str>) -> Vec<Stage<'a>> {
    let mut rest: Vec<&str> = applications.collect();
    let mut stages = Vec::new();
    for (names, ready) in STAGES {
        let (found, others): (Vec<&str>, Vec<&str>) = rest.into_iter().partition(|name| names.contains(name));
        rest = others;
        if !found.is_empty() {
            stages.push(Stage { applications: found, ready });
        }
    }
    if !rest.is_empty() {
        stages.push(Stage { applications: rest, ready: &[Ready::Definitions] });
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_applications_come_first_and_one_by_one_then_all_others() {
        let names = ["portal", "gafaelfawr", "argocd", "cert-manager", "nublado", "postgres"];
        let stages = stages(names.into_iter());
        let order: Vec<_> = stages.iter().map(|stage| stage.applications.join("+")).collect();
        assert_eq!(order, ["argocd", "cert-manager", "postgres", "gafaelfawr", "portal+nublado"]);
        assert!(stages[1].ready.contains(&Ready::CertManagerWebhook));
    }
}
