//! Which of the project's clusters is this environment's, and which template is meant. Pure.
//!
//! Our mark counts before the name: names are neither unique nor ours alone. A cluster on its way out is not there.

use super::error::MagnumError;
use super::wanted::{ENVIRONMENT_LABEL, GENERATION_LABEL, Wanted};
use crate::client::openstack::{Cluster, ClusterTemplate};

/// The environment's cluster among all that the project has.
pub fn cluster<'a>(wanted: &Wanted, all: &'a [Cluster]) -> Result<Option<&'a Cluster>, MagnumError> {
    let there = || all.iter().filter(|cluster| !cluster.status.deleting());
    let marked: Vec<_> = there().filter(|cluster| carries_mark(wanted, cluster)).collect();
    if let Some(one) = only(&marked, "cluster", &wanted.magnum.name)? {
        return Ok(Some(one));
    }
    let named: Vec<_> = there().filter(|cluster| cluster.name == wanted.magnum.name).collect();
    let Some(one) = only(&named, "cluster", &wanted.magnum.name)? else { return Ok(None) };
    match one.labels.get(ENVIRONMENT_LABEL).cloned() {
        Some(owner) => Err(MagnumError::Foreign { name: one.name.clone(), uuid: one.uuid.clone(), owner }),
        None => Ok(Some(one)),
    }
}

/// Whether a cluster carries the mark of this environment and generation.
pub fn carries_mark(wanted: &Wanted, cluster: &Cluster) -> bool {
    cluster.labels.get(ENVIRONMENT_LABEL) == Some(&wanted.environment) && generation(cluster) == wanted.generation
}

/// The generations of the environment's clusters, rising; one that carries no mark is not counted.
pub fn generations(environment: &str, all: &[Cluster]) -> Vec<u32> {
    let ours = |cluster: &&Cluster| cluster.labels.get(ENVIRONMENT_LABEL).is_some_and(|found| found == environment);
    let there = all.iter().filter(|cluster| !cluster.status.deleting());
    let mut found: Vec<u32> = there.filter(ours).map(generation).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn generation(cluster: &Cluster) -> u32 {
    cluster.labels.get(GENERATION_LABEL).and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn only<'a>(found: &[&'a Cluster], what: &'static str, name: &str) -> Result<Option<&'a Cluster>, MagnumError> {
    match found {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        many => {
            let uuids = many.iter().map(|cluster| cluster.uuid.clone()).collect();
            Err(MagnumError::Ambiguous { what, name: name.to_owned(), uuids })
        }
    }
}

/// The template that the file names by name or UUID.
pub fn template(wanted: &Wanted, cloud: &str, all: &[ClusterTemplate]) -> Result<ClusterTemplate, MagnumError> {
    let name = &wanted.magnum.template;
    let by_uuid = all.iter().find(|template| template.uuid == *name);
    let named: Vec<_> = all.iter().filter(|template| template.name.as_ref() == Some(name)).collect();
    let meant = by_uuid.or(if let [one] = named[..] { Some(one) } else { None });
    match (meant, named.as_slice()) {
        (Some(template), _) => Ok(template.clone()),
        (None, []) => Err(MagnumError::NoTemplate {
            name: name.clone(),
            cloud: cloud.to_owned(),
            known: all.iter().filter_map(|template| template.name.clone()).collect(),
        }),
        (None, many) => Err(MagnumError::Ambiguous {
            what: "cluster template",
            name: name.clone(),
            uuids: many.iter().map(|template| template.uuid.clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wanted::tests::wanted;
    use super::*;
    use crate::error::{Explain, Kind};
    use serde_json::json;

    fn cluster_of(uuid: &str, name: &str, status: &str, mark: Option<&str>) -> Cluster {
        let labels = mark.map_or(json!({}), |mark| json!({ "rsp_install_environment": mark }));
        serde_json::from_value(json!({
            "uuid": uuid, "name": name, "cluster_template_id": "t", "keypair": "k", "node_count": 2, "master_count": 1,
            "labels": labels, "status": status,
        }))
        .unwrap()
    }

    fn found(all: &[Cluster]) -> Result<Option<String>, MagnumError> {
        cluster(&wanted(""), all).map(|one| one.map(|cluster| cluster.uuid.clone()))
    }

    #[test]
    fn the_mark_counts_before_the_name() {
        let all = [
            cluster_of("1", "stv", "CREATE_COMPLETE", None),
            cluster_of("2", "renamed", "CREATE_COMPLETE", Some("roe")),
            cluster_of("3", "stv-2", "CREATE_COMPLETE", Some("other")),
        ];
        assert_eq!(found(&all).unwrap().as_deref(), Some("2"));
        assert_eq!(found(&all[..1]).unwrap().as_deref(), Some("1"));
        assert_eq!(found(&all[2..]).unwrap(), None, "a common prefix of the name means nothing");
    }

    #[test]
    fn a_rebuilt_environment_has_clusters_of_two_generations() {
        let mut second = cluster_of("2", "stv-2", "CREATE_COMPLETE", Some("roe"));
        second.labels.insert(GENERATION_LABEL.to_owned(), "2".to_owned());
        let all = [cluster_of("1", "stv", "CREATE_COMPLETE", Some("roe")), second];
        assert_eq!(generations("roe", &all), [1, 2]);
        assert_eq!(found(&all).unwrap().as_deref(), Some("1"));
        let next = Wanted::new("roe", 2, &wanted("").magnum);
        assert_eq!(next.magnum.name, "stv-2");
        assert_eq!(cluster(&next, &all).unwrap().map(|one| one.uuid.as_str()), Some("2"));
        assert_eq!(next.new_cluster("uuid", "run").labels[GENERATION_LABEL], "2");
    }

    #[test]
    fn two_candidates_are_an_error_that_lists_them() {
        let all = [cluster_of("1", "stv", "CREATE_COMPLETE", None), cluster_of("2", "stv", "CREATE_FAILED", None)];
        let error = found(&all).unwrap_err();
        assert_eq!(error.to_string(), "cluster \"stv\" is ambiguous: 1, 2");
        assert_eq!(error.kind(), Kind::Invalid);
        let leaving = [cluster_of("1", "stv", "DELETE_IN_PROGRESS", None), all[1].clone()];
        assert_eq!(found(&leaving).unwrap().as_deref(), Some("2"));
        let stuck = [cluster_of("1", "stv", "DELETE_FAILED", Some("roe"))];
        assert_eq!(found(&stuck).unwrap().as_deref(), Some("1"), "it must be retired again");
    }

    #[test]
    fn a_cluster_of_another_environment_is_never_taken() {
        let all = [cluster_of("1", "stv", "CREATE_COMPLETE", Some("other"))];
        assert!(matches!(found(&all), Err(MagnumError::Foreign { .. })));
    }

    #[test]
    fn a_template_is_meant_by_uuid_or_by_a_name_that_only_one_has() {
        let of = |uuid: &str, name: &str| -> ClusterTemplate {
            serde_json::from_value(json!({ "uuid": uuid, "name": name, "coe": "kubernetes", "image_id": "i" })).unwrap()
        };
        let all = [of("1", "t"), of("2", "twice"), of("3", "twice")];
        assert_eq!(template(&wanted(""), "c", &all).unwrap().uuid, "1");
        let mut other = wanted("");
        other.magnum.template = "twice".into();
        assert!(matches!(template(&other, "c", &all), Err(MagnumError::Ambiguous { .. })));
        other.magnum.template = "3".into();
        assert_eq!(template(&other, "c", &all).unwrap().uuid, "3");
        other.magnum.template = "gone".into();
        assert_eq!(template(&other, "c", &all).unwrap_err().help(), ["the templates there are t, twice, twice"]);
    }
}
