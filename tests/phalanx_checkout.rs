//! All of upstream's environments, read as data and held against what upstream's own code said of half of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod upstream;

use rsp_install::error::Failure;
use rsp_install::phalanx::tree::Directory;
use rsp_install::phalanx::{Checkout, PhalanxError};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use upstream::{facts, shared, upstream};

#[test]
fn every_environment_of_upstream_can_be_read_with_all_values() {
    let Some(checkout) = upstream() else { return };
    let names = checkout.environments().unwrap();
    assert_eq!(names.len(), 24);
    for name in names {
        let environment = checkout.environment(&name).unwrap_or_else(|error| panic!("{}", Failure::from(error)));
        assert!(environment.application("argocd").is_some(), "{name} has argocd");
        for application in &environment.applications {
            checkout.values(&application.name, &name).unwrap_or_else(|error| panic!("{}", Failure::from(error)));
        }
    }
}

#[test]
fn environments_are_what_upstreams_own_code_says() {
    let (Some(checkout), Some(facts)) = (upstream(), facts()) else { return };
    for (name, fact) in facts {
        let environment = checkout.environment(&name).unwrap();
        assert_eq!(environment.fqdn, fact["fqdn"], "{name}");
        assert_eq!(environment.app_of_apps_name, fact["app_of_apps"], "{name}");
        assert_eq!(environment.vault_prefix.to_string(), fact["vault_path_prefix"], "{name}");
        assert_eq!(environment.vault_prefix.last(), fact["read_approle"], "{name}");
        // Upstream normalises addresses by a slash at the end.
        assert_eq!(
            environment.vault_url.trim_end_matches('/'),
            fact["vault_url"].as_str().unwrap().trim_end_matches('/')
        );
        let applications: Vec<_> =
            environment.applications.iter().map(|application| application.name.as_str()).collect();
        let expected: Vec<_> = fact["applications"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(applications, expected, "{name}");
    }
}

#[test]
fn an_unknown_environment_is_answered_with_names_that_look_like_it() {
    let Some(checkout) = upstream() else { return };
    let error = checkout.environment("idfdve").unwrap_err();
    assert!(matches!(&error, PhalanxError::UnknownEnvironment { near, .. } if near[0] == "idfdev"), "{error}");
    assert!(Failure::from(error).to_string().contains("did you mean idfdev"));
}

/// Prints every YAML file below the directory as one JSON object, as `PyYAML` reads it; timestamps stay texts.
const PYYAML: &str = r#"
import json, pathlib, sys, yaml
class Loader(yaml.SafeLoader): pass
Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
root = pathlib.Path(sys.argv[1])
files = {str(path.relative_to(root)): yaml.load(path.read_text(), Loader) for path in root.rglob("*.yaml")}
json.dump(files, sys.stdout)
"#;

#[test]
fn every_file_of_upstream_reads_as_pyyaml_reads_it() {
    let Some(checkout) = upstream() else { return };
    let Some(data) = shared("phalanx-data") else { return };
    let answer = Command::new("python3").args(["-c", PYYAML]).arg(data).output();
    let Some(answer) = answer.ok().filter(|answer| answer.status.success()) else {
        eprintln!("skipped: no python3 with PyYAML at hand");
        return;
    };
    let files: serde_json::Map<String, Value> = serde_json::from_slice(&answer.stdout).unwrap();
    assert!(files.len() > 800);
    for (file, expected) in files {
        let read = checkout.yaml(&file).unwrap().unwrap().to_value();
        assert_eq!(read, expected, "{file}");
    }
}

/// A checkout of two applications, one of them with a template.
fn small(files: &[(&str, &str)]) -> (tempfile::TempDir, Checkout) {
    let root = tempfile::tempdir().unwrap();
    let base = [
        (
            "environments/values.yaml",
            "appOfAppsName: app-of-apps\nvaultUrl: https://v\nrepoUrl: https://r\ntargetRevision: main\napplications: {argocd: true}\n",
        ),
        (
            "environments/values-a.yaml",
            "name: a\nfqdn: a.org\nvaultPathPrefix: secret/phalanx/a\napplications: {tap: true}\n",
        ),
        (
            "environments/templates/applications/infrastructure/argocd.yaml",
            "spec:\n  destination:\n    namespace: \"argocd\"\n",
        ),
        ("applications/argocd/Chart.yaml", "name: argo-cd\nversion: 1.0.0\n"),
        ("applications/argocd/values-a.yaml", ""),
        ("applications/tap/Chart.yaml", "name: tap\nversion: 1.0.0\n"),
        ("applications/tap/values.yaml", "a: {b: 1, c: [1]}\n"),
    ];
    for (path, content) in base.iter().chain(files) {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let checkout = Checkout::open(Arc::new(Directory::new(root.path()))).unwrap();
    (root, checkout)
}

#[test]
fn project_and_namespace_come_from_the_template_where_there_is_one() {
    let (_root, checkout) = small(&[]);
    let environment = checkout.environment("a").unwrap();
    assert_eq!(environment.application("argocd").unwrap().project().unwrap(), "infrastructure");
    let error = environment.application("tap").unwrap().project().unwrap_err();
    assert!(error.to_string().contains("application tap has no template"), "{error}");
    assert_eq!(environment.application("tap").unwrap().namespace, "tap");
}

#[test]
fn a_missing_values_file_of_an_enabled_application_is_named() {
    let (_root, checkout) = small(&[]);
    let error = checkout.values("tap", "a").unwrap_err();
    assert!(error.to_string().contains("applications/tap/values-a.yaml"), "{error}");
    assert_eq!(checkout.values_or_defaults("tap", "a").unwrap()["a"]["b"], 1);
}

#[test]
fn maps_of_values_are_merged_and_everything_else_is_replaced() {
    let (_root, checkout) = small(&[("applications/tap/values-a.yaml", "a: {b: null, c: [2], d: yes}\n")]);
    let values = checkout.values("tap", "a").unwrap();
    assert_eq!(values.to_string(), r#"{"a":{"b":null,"c":[2],"d":true}}"#);
}

#[test]
fn another_environments_broken_file_does_not_break_this_one() {
    let (_root, checkout) =
        small(&[("environments/values-b.yaml", "a: [\n"), ("applications/tap/values-b.yaml", "a: [\n")]);
    assert!(checkout.environment("a").is_ok());
    let error = checkout.environment("b").unwrap_err();
    assert!(error.to_string().starts_with("environments/values-b.yaml:1:4"), "{error}");
}
