//! What can be known to be wrong before a cluster is asked for: checks as data.
//!
//! Gathering asks all services at once; judging is pure. A service that is not there or does not tell is not held
//! against the cloud: its check says so and passes.

use super::error::MagnumError;
use super::ports::is_range;
use super::quota::{self, Lack};
use super::wanted::{WORLD, Wanted, range};
use crate::client::openstack::{
    ApplicationCredential, ClusterTemplate, Flavor, Image, Limits, Network, NeutronQuota, Openstack, VolumeLimits,
};
use crate::engine::Event;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudCheck {
    /// Stable, for example `cloud.quota.cores`.
    pub id: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What is needed.
    pub needed: String,
    /// What to do; empty when it passed.
    pub hint: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// It may go wrong later.
    Warning,
    /// The file or the template is wrong.
    Wrong,
    /// The cloud will refuse.
    Refused,
}

/// What the cloud says.
#[derive(Debug, Clone)]
pub struct CloudFacts {
    /// The project's name.
    pub project: String,
    /// The template.
    pub template: ClusterTemplate,
    /// All flavors.
    pub flavors: Vec<Flavor>,
    /// The images that the template's image may mean.
    pub images: Vec<Image>,
    /// Whether the key pair is there.
    pub keypair: bool,
    /// Networks that lead outside.
    pub external: Vec<Network>,
    /// Nova's limits.
    pub nova: Option<Limits>,
    /// Neutron's.
    pub neutron: Option<NeutronQuota>,
    /// Cinder's.
    pub cinder: Option<VolumeLimits>,
    /// How many clusters there are, and how many there may be.
    pub clusters: (u32, Option<u32>),
    /// The application credential, if that is what we log in with.
    pub credential: Option<ApplicationCredential>,
    /// Whether Magnum makes trusts, where it tells.
    pub trusts: Option<bool>,
}

/// Asks the cloud everything that the checks need.
async fn gather(cloud: &Openstack, wanted: &Wanted, template: &ClusterTemplate) -> Result<CloudFacts, MagnumError> {
    let (flavors, images, keypair, external, nova, neutron, cinder) = tokio::try_join!(
        cloud.flavors(),
        cloud.images(&template.image_id),
        cloud.has_keypair(&wanted.magnum.keypair),
        cloud.external_networks(),
        cloud.limits(),
        cloud.neutron_quota(),
        cloud.volume_limits(),
    )?;
    let (clusters, cluster_quota, credential, trusts) = tokio::try_join!(
        cloud.clusters(),
        cloud.cluster_quota(),
        cloud.application_credential(),
        cloud.makes_trusts()
    )?;
    Ok(CloudFacts {
        project: cloud.scope().await?.project,
        template: template.clone(),
        flavors,
        images,
        keypair,
        external,
        nova: Some(nova),
        neutron,
        cinder,
        clusters: (u32::try_from(clusters.len()).unwrap_or(u32::MAX), cluster_quota),
        credential,
        trusts,
    })
}

/// All checks, in their order.
pub fn judge(wanted: &Wanted, facts: &CloudFacts) -> Vec<CloudCheck> {
    let mut checks = vec![coe(facts), credential(facts), keypair(wanted, facts)];
    checks.extend(flavors(facts));
    checks.extend([image(facts), external_network(facts), clusters(facts)]);
    checks.extend(quotas(wanted, facts).iter().map(quota_check));
    checks.extend(open_ports(wanted));
    checks.extend([pod_security(wanted, facts), load_balancer(wanted, facts)]);
    checks
}

fn quotas(wanted: &Wanted, facts: &CloudFacts) -> Vec<Lack> {
    let need = quota::need(wanted, &facts.template, &facts.flavors);
    quota::compare(&need, facts.nova.as_ref(), facts.neutron.as_ref(), facts.cinder.as_ref())
}

/// What the checks found, and the letter to the administrators if they must give more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// One a check.
    pub checks: Vec<CloudCheck>,
    /// The letter.
    pub letter: Option<String>,
}

/// Runs all checks and tells each.
pub async fn check(cloud: &Openstack, wanted: &Wanted, template: &ClusterTemplate) -> Result<Checked, MagnumError> {
    // On the heap: it asks a dozen questions at once, and is asked once in a cluster's life.
    let facts = Box::pin(gather(cloud, wanted, template)).await?;
    let checks = judge(wanted, &facts);
    for CloudCheck { id, verdict, found, hint, .. } in checks.clone() {
        cloud.events().tell(Event::Check { id, passed: verdict == Verdict::Passed, found, hint });
    }
    Ok(Checked { checks, letter: quota::letter(&facts.project, &wanted.magnum.name, &quotas(wanted, &facts)) })
}

impl Checked {
    /// Refuses when the file is wrong or the cloud would refuse.
    pub fn admit(&self, wanted: &Wanted) -> Result<(), MagnumError> {
        let bad = || self.checks.iter().filter(|check| matches!(check.verdict, Verdict::Wrong | Verdict::Refused));
        if bad().next().is_none() {
            return Ok(());
        }
        let told = bad().map(|check| format!("{}: {}, {} needed", check.id, check.found, check.needed));
        let hints = bad().map(|check| check.hint.clone()).filter(|hint| !hint.is_empty());
        Err(MagnumError::Preflight {
            name: wanted.magnum.name.clone(),
            told: told.collect(),
            hints: hints.chain(self.letter.clone()).collect(),
            wrong: bad().any(|check| check.verdict == Verdict::Wrong),
        })
    }
}

fn result(
    id: &str,
    verdict: Verdict,
    found: impl Into<String>,
    needed: impl Into<String>,
    hint: impl Into<String>,
) -> CloudCheck {
    let hint = if verdict == Verdict::Passed { String::new() } else { hint.into() };
    CloudCheck { id: id.to_owned(), verdict, found: found.into(), needed: needed.into(), hint }
}

fn verdict(good: bool, otherwise: Verdict) -> Verdict {
    if good { Verdict::Passed } else { otherwise }
}

fn coe(facts: &CloudFacts) -> CloudCheck {
    let found = &facts.template.coe;
    let good = verdict(found == "kubernetes", Verdict::Wrong);
    result("cloud.template", good, format!("coe {found}"), "coe kubernetes", "name a template for Kubernetes")
}

/// A restricted application credential may make no trusts: Magnum would fail when the cluster is half made.
fn credential(facts: &CloudFacts) -> CloudCheck {
    let needed = "an unrestricted one where Magnum makes trusts (up to release 2026.1)";
    let Some(ApplicationCredential { name, restricted }) = &facts.credential else {
        return result("cloud.credential", Verdict::Passed, "no application credential", needed, "");
    };
    let (good, found) = match (restricted, facts.trusts) {
        (false, _) => (Verdict::Passed, "is unrestricted"),
        (true, Some(false)) => (Verdict::Passed, "is restricted, and Magnum makes no trusts here"),
        (true, Some(true)) => (Verdict::Refused, "is restricted, and Magnum makes trusts here"),
        (true, None) => (Verdict::Warning, "is restricted, and Magnum does not tell whether it makes trusts"),
    };
    let found = format!("application credential {name} {found}");
    let hint =
        format!("`openstack application credential create --unrestricted {name}-unrestricted`, and log in with it");
    result("cloud.credential", good, found, needed, hint)
}

fn keypair(wanted: &Wanted, facts: &CloudFacts) -> CloudCheck {
    let name = &wanted.magnum.keypair;
    let found = if facts.keypair { name.clone() } else { "none of that name".to_owned() };
    let hint = format!("key pairs belong to the user who logs in: `openstack keypair create --public-key FILE {name}`");
    result("cloud.keypair", verdict(facts.keypair, Verdict::Wrong), found, format!("key pair {name}"), hint)
}

fn flavors(facts: &CloudFacts) -> Vec<CloudCheck> {
    let named = [
        ("cloud.flavor.workers", &facts.template.flavor_id),
        ("cloud.flavor.masters", &facts.template.master_flavor_id),
    ];
    let one = |(id, flavor): (&str, &Option<String>)| {
        let flavor = flavor.as_ref()?;
        let there = facts.flavors.iter().any(|found| found.name == *flavor || found.id == *flavor);
        let found = if there { flavor.clone() } else { "none of that name".to_owned() };
        let hint = "the template is older than the cloud's flavors: ask its owner, or name another template";
        Some(result(id, verdict(there, Verdict::Wrong), found, format!("flavor {flavor}"), hint))
    };
    named.into_iter().filter_map(one).collect()
}

fn image(facts: &CloudFacts) -> CloudCheck {
    let needed = format!("image {}, active, with os_distro", facts.template.image_id);
    let hint = "ask the template's owner; `openstack image set --property os_distro=fedora-coreos IMAGE`";
    let (good, found) = match facts.images.as_slice() {
        [] => (false, "none of that name".to_owned()),
        [image] => {
            let distro = image.os_distro.as_deref().unwrap_or("none");
            (image.status == "active" && image.os_distro.is_some(), format!("{}, os_distro {distro}", image.status))
        }
        many => (false, format!("{} images of that name", many.len())),
    };
    result("cloud.image", verdict(good, Verdict::Wrong), found, needed, hint)
}

fn external_network(facts: &CloudFacts) -> CloudCheck {
    let Some(wanted) = &facts.template.external_network_id else {
        return result("cloud.externalNetwork", Verdict::Passed, "the template names none", "", "");
    };
    let there = facts.external.iter().any(|network| network.name == *wanted || network.id == *wanted);
    let names: Vec<&str> = facts.external.iter().map(|network| network.name.as_str()).collect();
    let found = if there { wanted.clone() } else { format!("only {}", names.join(", ")) };
    let hint = "ask the template's owner, or name another template";
    result("cloud.externalNetwork", verdict(there, Verdict::Wrong), found, format!("external network {wanted}"), hint)
}

fn clusters(facts: &CloudFacts) -> CloudCheck {
    let (there, limit) = facts.clusters;
    let good = limit.is_none_or(|limit| there < limit);
    let found =
        limit.map_or(format!("{there} clusters, no limit told"), |limit| format!("{there} of {limit} clusters"));
    let hint = "delete a cluster, or ask the cloud's administrators for a higher quota of clusters";
    result("cloud.quota.clusters", verdict(good, Verdict::Refused), found, "room for one more", hint)
}

fn quota_check(row: &Lack) -> CloudCheck {
    let found = row.free.map_or("no limit".to_owned(), |free| format!("{free} {} left", row.unit));
    let id = format!("cloud.quota.{}", row.resource);
    result(&id, verdict(row.missing() == 0, Verdict::Refused), found, format!("{} {}", row.needed, row.unit), "")
}

/// Ports open to the world are what a science platform is for, but not Redis.
fn open_ports(wanted: &Wanted) -> Vec<CloudCheck> {
    const WEB: [u16; 2] = [80, 443];
    let judged = |rule: &crate::environment::PortRule| {
        let id = format!("cloud.openPorts.{}", rule.port);
        let from = range(rule);
        if !is_range(from) {
            let hint = "write a range like 192.168.0.0/16";
            return result(&id, Verdict::Wrong, format!("from {from}"), "a CIDR range", hint);
        }
        let world = from == WORLD && !WEB.contains(&rule.port);
        let hint = format!("give port {} a range: `{{port: {}, from: 192.168.0.0/16}}`", rule.port, rule.port);
        let found = if from == WORLD { "open to the world".to_owned() } else { format!("open to {from}") };
        result(&id, verdict(!world, Verdict::Warning), found, "no wider than its users", hint)
    };
    wanted.ports().iter().map(judged).collect()
}

/// Magnum's default list had `PodSecurityPolicy`, under which no pod of the platform starts.
fn pod_security(wanted: &Wanted, facts: &CloudFacts) -> CloudCheck {
    let inherited = wanted.magnum.merge_labels || wanted.labels().is_empty();
    let label =
        |name: &str| wanted.labels().get(name).or_else(|| facts.template.labels.get(name).filter(|_| inherited));
    let minor = || label("kube_tag").and_then(|tag| tag.trim_start_matches('v').split('.').nth(1)?.parse::<u32>().ok());
    let (good, found) = if let Some(list) = label("admission_control_list") {
        (!list.split(',').any(|one| one.trim() == "PodSecurityPolicy"), list.clone())
    } else {
        // Kubernetes 1.25 has no such plugin any more.
        (minor().is_some_and(|minor| minor >= 25), "Magnum's default list".to_owned())
    };
    let hint =
        "write the label admission_control_list without PodSecurityPolicy; that plugin blocks the platform's pods";
    result("cloud.podSecurity", verdict(good, Verdict::Warning), found, "no PodSecurityPolicy", hint)
}

/// What the Somerville engineers learnt about ingress-nginx.
fn load_balancer(wanted: &Wanted, facts: &CloudFacts) -> CloudCheck {
    let label = |name: &str| wanted.labels().get(name).or_else(|| facts.template.labels.get(name));
    let ovn = label("octavia_provider").is_some_and(|provider| provider == "ovn");
    let driver = facts.template.network_driver.as_deref().unwrap_or("not told");
    let found = format!("network driver {driver}, Octavia provider {}", if ovn { "ovn" } else { "not ovn" });
    let hint = "ingress-nginx must be of type LoadBalancer (ClusterIP fails with Calico) with a replica on every node of \
                the pool; Octavia's OVN provider checks health only from OVN 22.09 on";
    result(
        "cloud.loadBalancer",
        verdict(!ovn, Verdict::Warning),
        found,
        "a provider that finds the ingress itself",
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::super::wanted::tests::wanted;
    use super::*;
    use serde_json::json;

    fn facts() -> CloudFacts {
        let template = json!({
            "uuid": "t", "name": "t", "coe": "kubernetes", "image_id": "fedora", "flavor_id": "small",
            "master_flavor_id": "small", "external_network_id": "public", "network_driver": "calico",
            "labels": {"kube_tag": "v1.30.1"},
        });
        CloudFacts {
            project: "rsp".into(),
            template: serde_json::from_value(template).unwrap(),
            flavors: vec![Flavor { id: "1".into(), name: "small".into(), vcpus: 1, ram: 1024 }],
            images: vec![Image {
                id: "i".into(),
                name: None,
                status: "active".into(),
                os_distro: Some("fedora-coreos".into()),
            }],
            keypair: true,
            external: vec![Network { id: "n".into(), name: "public".into(), external: true }],
            nova: None,
            neutron: None,
            cinder: None,
            clusters: (1, Some(20)),
            credential: None,
            trusts: Some(true),
        }
    }

    fn verdicts(wanted: &Wanted, facts: &CloudFacts) -> Vec<(String, Verdict)> {
        let checks = judge(wanted, facts).into_iter();
        checks.filter(|check| check.verdict != Verdict::Passed).map(|check| (check.id, check.verdict)).collect()
    }

    #[test]
    fn a_good_cloud_passes_every_check() {
        assert_eq!(verdicts(&wanted("openPorts: [80, 443, {port: 6379, from: 10.0.0.0/8}]"), &facts()), []);
    }

    #[test]
    fn each_fault_has_its_own_check() {
        let mut bad = facts();
        bad.keypair = false;
        bad.images[0].os_distro = None;
        bad.external.clear();
        bad.flavors.clear();
        bad.clusters = (20, Some(20));
        let found: Vec<String> = verdicts(&wanted(""), &bad).into_iter().map(|(id, _)| id).collect();
        assert_eq!(
            found,
            [
                "cloud.keypair",
                "cloud.flavor.workers",
                "cloud.flavor.masters",
                "cloud.image",
                "cloud.externalNetwork",
                "cloud.quota.clusters",
            ]
        );
    }

    #[test]
    fn ports_that_the_world_should_not_see_are_warned_of() {
        let open = wanted("openPorts: [80, 8443, 6379, {port: 22, from: everywhere}]");
        assert_eq!(
            verdicts(&open, &facts()),
            [
                ("cloud.openPorts.8443".to_owned(), Verdict::Warning),
                ("cloud.openPorts.6379".to_owned(), Verdict::Warning),
                ("cloud.openPorts.22".to_owned(), Verdict::Wrong),
            ]
        );
    }

    #[test]
    fn pod_security_policy_is_warned_of_in_a_list_and_in_old_defaults() {
        let id = ("cloud.podSecurity".to_owned(), Verdict::Warning);
        let listed = wanted("labels: {admission_control_list: \"NodeRestriction,PodSecurityPolicy\"}");
        assert_eq!(verdicts(&listed, &facts()), std::slice::from_ref(&id));
        let mut old = facts();
        old.template.labels.insert("kube_tag".into(), "v1.21.5".into());
        assert_eq!(verdicts(&wanted(""), &old), [id]);
    }

    #[test]
    fn a_restricted_credential_is_refused_exactly_where_magnum_makes_trusts() {
        let told = |restricted, trusts| {
            let credential = Some(ApplicationCredential { name: "ci".into(), restricted });
            let found = verdicts(&wanted(""), &CloudFacts { credential, trusts, ..facts() });
            found.first().map(|(id, verdict)| (id == "cloud.credential", *verdict))
        };
        assert_eq!(told(true, Some(true)), Some((true, Verdict::Refused)));
        assert_eq!(told(true, None), Some((true, Verdict::Warning)));
        assert_eq!(told(true, Some(false)), None);
        assert_eq!(told(false, Some(true)), None);
    }
}
