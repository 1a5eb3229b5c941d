//! The switch from the old cluster to the new one: what people must do, and whether it is done.
//!
//! DNS and the fork are not ours to write: the addresses that change are told, and the fork's files that name the old ones
//! come as a patch.

use super::super::guard::Answers;
use super::super::site::Site;
use super::super::validation::address;
use super::address_of;
use crate::environment::Cluster as Declared;
use crate::error::{Failure, Kind};
use crate::phalanx::tree::Tree;
use kube::ResourceExt as _;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The way from the old cluster to the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Switch {
    /// Whether the new cluster is the active one.
    pub done: bool,
    /// What people do, in order.
    pub checklist: Vec<String>,
    /// For the fork: its files that name addresses of the old cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}

/// Addresses of load balancers, by namespace and name of their Services.
type Addresses = BTreeMap<(String, String), String>;

/// Works out what changes.
pub(super) async fn prepare(old: &Site, new: &Site) -> Result<Switch, Failure> {
    let (before, after) = (addresses(old).await?, addresses(new).await?);
    let moved: Vec<(&String, &String)> =
        before.iter().filter_map(|(service, from)| Some((from, after.get(service)?))).filter(|(a, b)| a != b).collect();
    let source = new.source().await?;
    let fqdn = &source.environment.fqdn;
    let patch = patch(source.checkout.tree(), &source.environment.name, &moved)?;
    let mut checklist: Vec<String> =
        moved.iter().map(|(from, to)| format!("DNS: let what says {from} (first {fqdn}) say {to}")).collect();
    if patch.is_some() {
        checklist.push(format!("fork: apply the patch to branch {} of {}", source.declared.branch, source.url));
    }
    checklist.push(format!("look at https://{fqdn} on the new cluster"));
    checklist.push(format!("rsp-install --env {} --mode rebuild: makes the new cluster the active one", new.name()));
    checklist.push(format!("rsp-install retire --env {}: ends the old one", new.name()));
    Ok(Switch { done: false, checklist, patch })
}

/// Whether the new cluster may become the active one: its name leads to it, or somebody says so. A sandbox has no name.
pub(super) async fn may(new: &Site, switch: &Switch, answers: Answers) -> Result<bool, Failure> {
    let Some(snapshot) = new.snapshot().await? else { return Ok(false) };
    let ingresses = snapshot.cluster().list("networking.k8s.io/v1", "Ingress", None).await?;
    let fqdn = &new.source().await?.environment.fqdn;
    let in_sandbox = matches!(new.loaded.environment.cluster, Some(Declared::Sandbox(_)));
    let question = match address::wrong(fqdn, &ingresses).await {
        None if !in_sandbox => return Ok(true),
        Some(wrong) if !in_sandbox => format!("{wrong}. Switch to the new cluster all the same?"),
        _ => format!("The new cluster of {} is ready. Switch to it?", new.name()),
    };
    for line in &switch.checklist {
        new.run.outlet.events().note(line.clone());
    }
    match answers.ask(question).await {
        Ok(()) => Ok(true),
        // Nobody there, or no: the new cluster waits.
        Err(failure) if failure.kind == Kind::Usage => Ok(false),
        Err(failure) => Err(failure),
    }
}

async fn addresses(site: &Site) -> Result<Addresses, Failure> {
    let Some(snapshot) = site.snapshot().await? else { return Ok(Addresses::new()) };
    let services = snapshot.cluster().list("v1", "Service", None).await?;
    let found = services.iter().filter_map(|service| {
        let address = address_of(service)?;
        Some(((service.namespace().unwrap_or_default(), service.name_any()), address.to_owned()))
    });
    Ok(found.collect())
}

/// The environment's values files with the new addresses in place of the old ones, as a patch for `git apply`.
fn patch(tree: &dyn Tree, environment: &str, moved: &[(&String, &String)]) -> Result<Option<String>, Failure> {
    let own = format!("values-{environment}.yaml");
    let mut files = vec![format!("environments/{own}")];
    files.extend(
        tree.list("applications")
            .map_err(unreadable)?
            .into_iter()
            .map(|entry| format!("applications/{}/{own}", entry.name)),
    );
    let mut patch = String::new();
    for file in files {
        let Some(bytes) = tree.read(&file).map_err(unreadable)? else { continue };
        let before = String::from_utf8_lossy(&bytes);
        let after = moved.iter().fold(before.to_string(), |text, (from, to)| renamed(&text, from, to));
        if after != before {
            let difference = similar::TextDiff::from_lines(before.as_ref(), after.as_str());
            patch += &difference.unified_diff().header(&format!("a/{file}"), &format!("b/{file}")).to_string();
        }
    }
    Ok(Some(patch).filter(|patch| !patch.is_empty()))
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Invalid, error.to_string())
}

/// Replaces an address where it stands whole: 192.0.2.1 is no part of 192.0.2.10.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let outside =
        |neighbour: Option<char>| neighbour.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.' && c != ':');
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for (at, _) in text.match_indices(from) {
        let end = at + from.len();
        // A full stop or colon may also end a sentence; only with more of an address behind it is it part of one.
        let after = text[end..]
            .chars()
            .next()
            .filter(|c| c.is_ascii_alphanumeric() || text[end + 1..].starts_with(|c: char| c.is_ascii_hexdigit()));
        if outside(text[..at].chars().next_back()) && outside(after) {
            out += &text[last..at];
            out += to;
            last = end;
        }
    }
    out + &text[last..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_replaced_only_where_it_stands_whole() {
        let text = "loadBalancerIP: 192.0.2.1\nother: 192.0.2.10\nmore: 10.192.0.2.1\n# was 192.0.2.1.\n";
        let after = renamed(text, "192.0.2.1", "192.0.2.9");
        assert_eq!(after, "loadBalancerIP: 192.0.2.9\nother: 192.0.2.10\nmore: 10.192.0.2.1\n# was 192.0.2.9.\n");
    }
}
