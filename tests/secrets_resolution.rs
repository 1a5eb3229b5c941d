//! What each of upstream's environments requires, held against what upstream's own code said of half of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod upstream;

use rsp_install::error::Failure;
use rsp_install::phalanx::Checkout;
use rsp_install::secret_value::SecretValue;
use rsp_install::secrets::{
    Class, Contents, Generator, Request, RequiredSecret, Resolution, SecretName, StaticFile, StaticSecrets, audit,
    plan, required, resolve, template,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use upstream::{facts, upstream};

const UNRESOLVABLE: [(&str, &[&str]); 4] = [
    (
        "usdf-rapid-analysis",
        &[
            "rapid-analysis/aws-credentials.ini",
            "rapid-analysis/butler-aws-credentials.ini",
            "rapid-analysis/butler-postgres-credentials.txt",
        ],
    ),
    ("usdfdev", &["rubintv/ra-redis-password"]),
    ("usdfprod", &["rubintv/ra-redis-password"]),
    ("usdfint", &["consdb/exposurelog-password", "consdbtap/pgpassword"]),
];

fn required_of(checkout: &Checkout, name: &str) -> Vec<RequiredSecret> {
    let environment = checkout.environment(name).unwrap();
    required(checkout, &environment, &BTreeSet::new())
        .unwrap_or_else(|error| panic!("{name}: {}", Failure::from(error)))
}

/// A value for every static secret.
fn placeholders(required: &[RequiredSecret]) -> StaticSecrets {
    let statics = required.iter().filter(|secret| secret.class == Class::Static);
    let values =
        statics.map(|secret| (secret.name.clone(), SecretValue::new(format!("placeholder {}", secret.name)))).collect();
    StaticSecrets { values, ..StaticSecrets::default() }
}

fn resolve_with(required: &[RequiredSecret], contents: &Contents, statics: Option<&StaticSecrets>) -> Resolution {
    let none = BTreeSet::new();
    let stale = BTreeSet::new();
    resolve(&Request { required, contents, statics, regenerate: false, stale: &stale, exclude: &none })
}

/// The class in the words of the facts.
fn word(secret: &RequiredSecret) -> String {
    match &secret.class {
        Class::Fixed(_) => "value".into(),
        Class::Copy(source) => format!("copy:{source}"),
        Class::Static if secret.encoded => "static+b64".into(),
        Class::Static => "static".into(),
        Class::Generated(generator) => match generator {
            Generator::Password => "generate:password".into(),
            Generator::GafaelfawrToken => "generate:gafaelfawr-token".into(),
            Generator::FernetKey => "generate:fernet-key".into(),
            Generator::RsaPrivateKey => "generate:rsa-private-key".into(),
            Generator::BcryptPasswordHash { source } => format!("generate:bcrypt-password-hash:{source}"),
            Generator::Mtime { source } => format!("generate:mtime:{source}"),
            Generator::OidcClients => "generate:oidc-clients".into(),
        },
    }
}

#[test]
fn twelve_environments_require_what_upstreams_own_code_says() {
    let (Some(checkout), Some(facts)) = (upstream(), facts()) else { return };
    for (name, fact) in facts {
        let found: Vec<[String; 3]> = required_of(&checkout, &name)
            .iter()
            .map(|secret| [secret.name.application.clone(), secret.name.key.clone(), word(secret)])
            .collect();
        let expected: Vec<[String; 3]> = serde_json::from_value(fact["secrets"].clone()).unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn twenty_environments_resolve_and_four_name_exactly_their_dangling_keys() {
    let Some(checkout) = upstream() else { return };
    for name in checkout.environments().unwrap() {
        let required = required_of(&checkout, &name);
        let resolution = resolve_with(&required, &Contents::new(), Some(&placeholders(&required)));
        let unresolved: Vec<String> = resolution.unresolved.iter().map(ToString::to_string).collect();
        match UNRESOLVABLE.iter().find(|(one, _)| *one == name) {
            Some((_, keys)) => {
                assert_eq!(unresolved, *keys, "{name}");
                assert_eq!(resolution.unresolvable.len(), keys.len(), "{name}");
                assert!(resolution.missing_static.is_empty());
            }
            None => assert!(unresolved.is_empty(), "{name}: {unresolved:?}"),
        }
    }
}

#[test]
fn without_static_secrets_they_are_what_is_missing() {
    let Some(checkout) = upstream() else { return };
    let required = required_of(&checkout, "ukidacdev");
    let resolution = resolve_with(&required, &Contents::new(), None);
    assert_eq!(resolution.missing_static.len(), 10);
    let audit = audit(&resolution, &Contents::new(), false);
    assert!(audit.unresolved.len() >= 10 && audit.missing.is_empty());
}

#[test]
fn excluding_the_source_of_a_copy_is_unresolvable() {
    let Some(checkout) = upstream() else { return };
    let environment = checkout.environment("minikube").unwrap();
    let exclude = BTreeSet::from(["gafaelfawr".to_owned()]);
    let required = required(&checkout, &environment, &exclude).unwrap();
    let resolution = resolve_with(&required, &Contents::new(), Some(&placeholders(&required)));
    assert_eq!(resolution.unresolved, [SecretName::new("postgres", "gafaelfawr_password")]);
}

#[test]
fn sources_are_planned_before_their_copies_in_every_environment() {
    let Some(checkout) = upstream() else { return };
    for name in checkout.environments().unwrap() {
        let required = required_of(&checkout, &name);
        let resolution = resolve_with(&required, &Contents::new(), Some(&placeholders(&required)));
        let plan = plan(&resolution, &Contents::new(), false);
        assert_eq!(plan.changes().count(), resolution.wanted.len(), "{name}");
        let mut written = BTreeSet::new();
        for wave in &plan.waves {
            for change in wave.iter().flat_map(|write| &write.changes) {
                if let rsp_install::secrets::ChangeKind::Set(rsp_install::secrets::Wanted::CopyOf(source)) =
                    &change.kind
                {
                    let beside = source.application == change.name.application;
                    assert!(beside || written.contains(source), "{name}: {} before {source}", change.name);
                }
            }
            written.extend(wave.iter().flat_map(|write| &write.changes).map(|change| change.name.clone()));
        }
    }
}

/// Writes the template with PyYAML, as upstream's tool does, from the descriptions on standard input.
const PYYAML: &str = r#"
import json, sys, yaml
class Folded(str): pass
yaml.add_representer(Folded, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">"))
def fold(value):
    if isinstance(value, dict):
        return {k: Folded(v) if k in ("description", "warning") and isinstance(v, str) else fold(v) for k, v in value.items()}
    return value
print(yaml.dump(fold(json.load(sys.stdin)), width=70), end="")
"#;

#[test]
fn the_template_is_the_one_that_upstreams_tool_writes_and_can_be_read_back() {
    let Some(checkout) = upstream() else { return };
    for name in checkout.environments().unwrap() {
        let required = required_of(&checkout, &name);
        let text = template(&required);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        std::fs::write(&file, &text).unwrap();
        let read = StaticFile::new(&file).read().unwrap_or_else(|error| panic!("{name}: {}", Failure::from(error)));
        assert!(read.values.is_empty() && read.oidc_clients.is_empty() && read.registries.is_empty());
        let json = rsp_install::phalanx::yaml::read("template.yaml", text.as_bytes()).unwrap().to_value();
        for secret in required.iter().filter(|secret| secret.class == Class::Static) {
            let entry = &json["applications"][&secret.name.application][&secret.name.key];
            assert_eq!(entry["description"], secret.description, "{name} {}", secret.name);
        }
        if let Some(expected) = by_pyyaml(&json) {
            assert_eq!(text, expected, "{name}");
        }
    }
}

fn by_pyyaml(json: &Value) -> Option<String> {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = Command::new("python3")
        .args(["-c", PYYAML])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(json.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    if !output.status.success() {
        eprintln!("skipped: no python3 with PyYAML at hand");
        return None;
    }
    String::from_utf8(output.stdout).ok()
}
