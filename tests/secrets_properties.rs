//! Rules that hold for every set of definitions and every content of Vault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rsp_install::phalanx::yaml::Position;
use rsp_install::secret_value::SecretValue;
use rsp_install::secrets::{
    ChangeKind, Class, Contents, Generator, Plan, Request, RequiredSecret, Resolution, SecretName, StaticSecrets,
    audit, materialise, plan, resolve,
};
use std::collections::BTreeSet;

fn name() -> impl Strategy<Value = SecretName> {
    (0..4u8, 0..4u8).prop_map(|(application, key)| SecretName::new(format!("app{application}"), format!("key{key}")))
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Static),
        Just(Class::Fixed("fixed".into())),
        Just(Class::Generated(Generator::Password)),
        Just(Class::Generated(Generator::GafaelfawrToken)),
        name().prop_map(Class::Copy),
        (0..4u8).prop_map(|key| Class::Generated(Generator::Mtime { source: format!("key{key}") })),
        Just(Class::Generated(Generator::OidcClients)),
    ]
}

fn definitions() -> impl Strategy<Value = Vec<RequiredSecret>> {
    proptest::collection::btree_map(name(), class(), 0..12).prop_map(|all| {
        all.into_iter()
            .map(|(name, class)| RequiredSecret {
                name,
                class,
                description: String::new(),
                encoded: false,
                position: Position { file: "secrets.yaml".into(), line: 1, column: 1 },
            })
            .collect()
    })
}

fn contents() -> impl Strategy<Value = Contents> {
    let key = (0..6u8).prop_map(|key| format!("key{key}"));
    let value = prop_oneof![Just(String::new()), "[a-c]".prop_map(String::from)].prop_map(SecretValue::new);
    let application = (0..5u8).prop_map(|application| format!("app{application}"));
    proptest::collection::btree_map(application, proptest::collection::btree_map(key, value, 0..5), 0..5)
}

fn statics(required: &[RequiredSecret]) -> StaticSecrets {
    let statics = required.iter().filter(|secret| secret.class == Class::Static);
    let values =
        statics.map(|secret| (secret.name.clone(), SecretValue::new(format!("given {}", secret.name)))).collect();
    StaticSecrets { values, ..StaticSecrets::default() }
}

fn resolved(required: &[RequiredSecret], contents: &Contents, statics: Option<&StaticSecrets>) -> Resolution {
    let (stale, exclude) = (BTreeSet::new(), BTreeSet::new());
    resolve(&Request { required, contents, statics, regenerate: false, stale: &stale, exclude: &exclude })
}

/// Carries out the first `writes` writes of a plan.
fn carried_out(plan: &Plan, contents: &Contents, writes: usize) -> Contents {
    let mut contents = contents.clone();
    for write in plan.writes().take(writes) {
        let made = materialise(&write.changes, &contents, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let keys = contents.entry(write.application.clone()).or_default();
        for (name, value) in made {
            match value {
                Some(value) => drop(keys.insert(name.key, value)),
                None => drop(keys.remove(&name.key)),
            }
        }
    }
    contents
}

proptest! {
    #[test]
    fn after_a_sync_the_audit_is_clean_and_nothing_is_left_to_do(required in definitions(), before in contents(), delete: bool) {
        let statics = statics(&required);
        let resolution = resolved(&required, &before, Some(&statics));
        prop_assume!(resolution.unresolved.is_empty());
        let after = carried_out(&plan(&resolution, &before, delete), &before, usize::MAX);
        let resolution = resolved(&required, &after, Some(&statics));
        let audit = audit(&resolution, &after, true);
        prop_assert!(audit.missing.is_empty(), "{audit:?}");
        prop_assert!(audit.mismatched.iter().all(|name| resolution.protected.contains(name)), "{audit:?}");
        prop_assert!(!delete || audit.unknown.is_empty());
        prop_assert!(plan(&resolution, &after, delete).is_empty());
    }

    #[test]
    fn stopped_after_any_write_the_next_sync_keeps_every_value_that_was_made(
        required in definitions(), before in contents(), writes in 0..8usize,
    ) {
        let statics = statics(&required);
        let resolution = resolved(&required, &before, Some(&statics));
        prop_assume!(resolution.unresolved.is_empty());
        let stopped = carried_out(&plan(&resolution, &before, false), &before, writes);
        let again = plan(&resolved(&required, &stopped, Some(&statics)), &stopped, false);
        for change in again.changes() {
            let written = before.get(&change.name.application).and_then(|keys| keys.get(&change.name.key))
                != stopped.get(&change.name.application).and_then(|keys| keys.get(&change.name.key));
            prop_assert!(!written, "{} was written and is planned again", change.name);
        }
        let after = carried_out(&again, &stopped, usize::MAX);
        prop_assert!(plan(&resolved(&required, &after, Some(&statics)), &after, false).is_empty());
    }

    #[test]
    fn without_delete_nothing_that_vault_holds_is_lost(required in definitions(), before in contents()) {
        let statics = statics(&required);
        let plan = plan(&resolved(&required, &before, Some(&statics)), &before, false);
        prop_assert!(plan.changes().all(|change| change.kind != ChangeKind::Delete));
        let after = carried_out(&plan, &before, usize::MAX);
        let names: BTreeSet<_> = required.iter().map(|secret| &secret.name).collect();
        for (application, keys) in &before {
            for (key, value) in keys {
                let other = !names.contains(&SecretName::new(application, key));
                prop_assert!(!other || after[application].get(key) == Some(value));
            }
        }
    }

    #[test]
    fn a_generated_value_that_is_there_is_kept(required in definitions(), before in contents()) {
        let statics = statics(&required);
        let after = carried_out(&plan(&resolved(&required, &before, Some(&statics)), &before, false), &before, usize::MAX);
        for secret in &required {
            let simple = matches!(&secret.class, Class::Generated(generator) if generator.source().is_none());
            let held = before.get(&secret.name.application).and_then(|keys| keys.get(&secret.name.key)).filter(|v| !v.is_empty());
            if let (true, Some(held)) = (simple, held) {
                prop_assert_eq!(&after[&secret.name.application][&secret.name.key], held);
            }
        }
    }
}

fn one(application: &str, key: &str, class: Class) -> RequiredSecret {
    RequiredSecret {
        name: SecretName::new(application, key),
        class,
        description: String::new(),
        encoded: false,
        position: Position { file: "secrets.yaml".into(), line: 1, column: 1 },
    }
}

fn held(entries: &[(&str, &str, &str)]) -> Contents {
    let mut contents = Contents::new();
    for (application, key, value) in entries {
        contents.entry((*application).to_owned()).or_default().insert((*key).to_owned(), SecretValue::new(*value));
    }
    contents
}

fn argocd() -> Vec<RequiredSecret> {
    let source = || "plain".to_owned();
    vec![
        one("argocd", "hash", Class::Generated(Generator::BcryptPasswordHash { source: source() })),
        one("argocd", "mtime", Class::Generated(Generator::Mtime { source: source() })),
        one("argocd", "plain", Class::Generated(Generator::Password)),
    ]
}

fn planned(required: &[RequiredSecret], contents: &Contents, stale: &[&str]) -> Vec<String> {
    let stale = stale.iter().map(|key| SecretName::new("argocd", *key)).collect();
    let exclude = BTreeSet::new();
    let request = Request { required, contents, statics: None, regenerate: false, stale: &stale, exclude: &exclude };
    plan(&resolve(&request), contents, false).changes().map(|change| change.name.key.clone()).collect()
}

#[test]
fn a_hash_goes_with_its_password_and_its_mtime_with_the_hash() {
    let all = [("argocd", "hash", "h"), ("argocd", "mtime", "m"), ("argocd", "plain", "p")];
    assert!(planned(&argocd(), &held(&all), &[]).is_empty());
    assert_eq!(planned(&argocd(), &held(&all), &["hash"]), ["hash", "mtime"]);
    assert_eq!(planned(&argocd(), &held(&all[1..]), &[]), ["hash", "mtime"]);
    assert_eq!(planned(&argocd(), &held(&all[..2]), &[]), ["hash", "mtime", "plain"]);
    assert_eq!(planned(&argocd(), &held(&[all[0], all[2]]), &[]), ["mtime"]);
}

#[test]
fn a_cycle_of_copies_is_named_and_does_not_hang() {
    let copy = |application: &str, source: &str| one(application, "k", Class::Copy(SecretName::new(source, "k")));
    let required = [copy("a", "b"), copy("b", "c"), copy("c", "a"), copy("d", "a")];
    let resolution = resolved(&required, &Contents::new(), None);
    assert_eq!(resolution.unresolvable.len(), 4);
    assert!(resolution.unresolvable[0].because.contains("comes from"), "{:?}", resolution.unresolvable);
}

#[test]
fn applications_that_copy_from_each_other_are_written_source_first() {
    let required = [
        one("a", "made", Class::Generated(Generator::Password)),
        one("a", "taken", Class::Copy(SecretName::new("b", "made"))),
        one("b", "made", Class::Generated(Generator::Password)),
        one("b", "taken", Class::Copy(SecretName::new("a", "made"))),
    ];
    let plan = plan(&resolved(&required, &Contents::new(), None), &Contents::new(), false);
    let waves: Vec<usize> = plan.waves.iter().map(Vec::len).collect();
    assert_eq!(waves, [2, 2]);
    let after = carried_out(&plan, &Contents::new(), usize::MAX);
    assert_eq!(after["a"]["made"], after["b"]["taken"]);
}

#[test]
fn oidc_clients_and_the_pull_secret_are_never_emptied_by_accident() {
    let required = [one("gafaelfawr", "oidc", Class::Generated(Generator::OidcClients))];
    let contents = held(&[("gafaelfawr", "oidc", "[{}]"), ("pull-secret", ".dockerconfigjson", "{}")]);
    for statics in [None, Some(StaticSecrets::default())] {
        let resolution = resolved(&required, &contents, statics.as_ref());
        assert!(plan(&resolution, &contents, true).is_empty());
        let audit = audit(&resolution, &contents, statics.is_some());
        // As phalanx's own audit: only who names a source of static secrets is told of a difference to it.
        assert_eq!((audit.mismatched.len(), audit.unknown.len()), if statics.is_some() { (1, 1) } else { (0, 0) });
    }
}

#[test]
fn an_unknown_key_is_deleted_only_when_that_is_asked_for() {
    let contents = held(&[("a", "known", "x"), ("a", "left", "y"), ("old", "k", "z")]);
    let required = [one("a", "known", Class::Generated(Generator::Password))];
    let resolution = resolved(&required, &contents, None);
    assert!(plan(&resolution, &contents, false).is_empty());
    let names: Vec<_> = plan(&resolution, &contents, true).changes().map(|change| change.name.to_string()).collect();
    assert_eq!(names, ["a/left", "old/k"]);
}

#[test]
fn a_plan_shows_fingerprints_and_no_value() {
    let required = [one("a", "k", Class::Fixed("canary-new".into()))];
    let contents = held(&[("a", "k", "canary-old")]);
    let plan = plan(&resolved(&required, &contents, None), &contents, false);
    let shown = format!("{plan:?} {}", plan.changes().next().unwrap().reason());
    assert!(!shown.contains("canary"), "{shown}");
}
