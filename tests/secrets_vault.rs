//! Secrets in a real Vault: sync, audit, conflicts, refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod upstream;
mod vault_common;

use rsp_install::client::vault::{KvData, VaultError};
use rsp_install::engine::Outlet;
use rsp_install::error::{Explain as _, Kind};
use rsp_install::phalanx::tree::Directory;
use rsp_install::phalanx::{Checkout, VaultPrefix};
use rsp_install::secret_value::SecretValue;
use rsp_install::secrets::{
    Audit, Class, Means, Options, SecretName, SecretsError, Session, StaticSecrets, VerifiedHashes, hash_matches,
    required,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use upstream::upstream;
use vault_common::{Server, outlet};

/// A value for every static secret but certificates, which are checked.
fn placeholders(checkout: &Checkout, name: &str) -> StaticSecrets {
    let environment = checkout.environment(name).unwrap();
    let required = required(checkout, &environment, &BTreeSet::new()).unwrap();
    let statics =
        required.iter().filter(|secret| secret.class == Class::Static && !secret.name.key.starts_with("tls."));
    let values =
        statics.map(|secret| (secret.name.clone(), SecretValue::new(format!("canary {}", secret.name)))).collect();
    StaticSecrets { values, ..StaticSecrets::default() }
}

struct Place<'a> {
    server: &'a Server,
    checkout: &'a Checkout,
    environment: &'a str,
    cache: &'a Path,
}

impl Place<'_> {
    async fn session(
        &self,
        statics: Option<StaticSecrets>,
        options: Options,
        outlet: &Outlet,
    ) -> Result<Session, SecretsError> {
        let environment = self.checkout.environment(self.environment).unwrap();
        let means = Means {
            vault: self.server.client(outlet),
            prefix: environment.vault_prefix.clone(),
            verified: VerifiedHashes::open(self.cache),
            now: jiff::Timestamp::now,
        };
        Session::open(self.checkout, &environment, statics, options, means).await
    }

    async fn certificates(&self) {
        // Not given as statics, because they would have to be good: in Vault already, as at a site that has them.
        let path =
            format!("data/{}/ingress-nginx", self.checkout.environment(self.environment).unwrap().vault_prefix.path);
        let body = serde_json::json!({"data": {"tls.crt": "c", "tls.key": "k"}});
        self.server.call("POST", &format!("secret/{path}"), Some(body)).await.unwrap();
    }
}

#[tokio::test]
async fn after_a_sync_the_audit_of_each_of_the_twenty_resolvable_environments_is_clean() {
    let (Some(checkout), Some(server)) = (upstream(), Server::start("secret").await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut synced = 0;
    for environment in checkout.environments().unwrap() {
        let place = Place { server: &server, checkout: &checkout, environment: &environment, cache: folder.path() };
        let statics = placeholders(&checkout, &environment);
        let whole = checkout.environment(&environment).unwrap();
        let names = required(&checkout, &whole, &BTreeSet::new()).unwrap();
        server.call("DELETE", &format!("secret/metadata/{}/ingress-nginx", whole.vault_prefix.path), None).await;
        if names.iter().any(|secret| secret.name.key == "tls.crt") {
            place.certificates().await;
        }
        let (outlet, told) = outlet();
        let session = place.session(Some(statics.clone()), Options::default(), &outlet).await.unwrap();
        let plan = match session.plan() {
            Ok(plan) => plan,
            Err(SecretsError::Unresolvable { .. }) => continue,
            Err(error) => panic!("{environment}: {error}"),
        };
        session.apply(&plan).await.unwrap_or_else(|error| panic!("{environment}: {error}"));
        assert!(!told.0.lock().unwrap().iter().any(|event| event.contains("canary")), "{environment}");
        let (again_outlet, _) = vault_common::outlet();
        let options = Options { delete: true, ..Options::default() };
        let again = place.session(Some(statics), options, &again_outlet).await.unwrap();
        assert_eq!(again.audit(), Audit::default(), "{environment}");
        assert!(again.plan().unwrap().is_empty(), "{environment}");
        assert_eq!(again_outlet.counters().requests().vault.writes, 0);
        synced += 1;
    }
    assert_eq!(synced, 20);
}

#[tokio::test]
async fn any_mount_works_and_a_deleted_secret_is_written_again() {
    let Some(server) = Server::start("kv-v2").await else { return };
    let (outlet, _) = outlet();
    let vault = server.client(&outlet);
    let mut data = KvData::default();
    data.set("k", SecretValue::new("v"));
    let first = vault.write("kv-v2", "k8s_operator/roe/a", &data, 0).await.unwrap();
    assert_eq!(first.version, 1);
    assert!(matches!(vault.write("kv-v2", "k8s_operator/roe/a", &data, 0).await, Err(VaultError::Conflict { .. })));
    vault.delete_version("kv-v2", "k8s_operator/roe/a", 1).await.unwrap();
    let deleted = vault.read("kv-v2", "k8s_operator/roe/a").await.unwrap();
    assert_eq!((deleted.version, deleted.data.is_none()), (1, true));
    assert_eq!(vault.write("kv-v2", "k8s_operator/roe/a", &data, deleted.version).await.unwrap().version, 2);
    assert_eq!(vault.list("kv-v2", "k8s_operator/roe").await.unwrap(), ["a"]);
    assert!(vault.list("kv-v2", "nowhere").await.unwrap().is_empty());
    assert_eq!(vault.read("kv-v2", "nowhere/x").await.unwrap().version, 0);
}

#[tokio::test]
async fn refusals_are_named() {
    let Some(server) = Server::start("secret").await else { return };
    let (outlet, _) = outlet();
    let reader = server.token("path \"secret/data/x/+\" {\n  capabilities = [\"read\"]\n}").await;
    let denied = server.client_with(&reader, &outlet).list("secret", "y").await.unwrap_err();
    assert!(matches!(denied, VaultError::Denied { .. }) && denied.kind() == Kind::Unreachable, "{denied}");
    let stranger = server.client_with("hvs.nobody", &outlet).list("secret", "y").await.unwrap_err();
    assert!(matches!(stranger, VaultError::TokenExpired { .. }), "{stranger}");
    server.call("PUT", "sys/seal", None).await;
    let sealed = server.client(&outlet).list("secret", "y").await.unwrap_err();
    assert!(matches!(sealed, VaultError::Sealed { .. }), "{sealed}");
}

#[tokio::test]
async fn a_hash_that_does_not_fit_its_password_is_found_and_renewed_with_its_mtime() {
    let Some(server) = Server::start("secret").await else { return };
    let ((root, checkout), folder) = (small(), tempfile::tempdir().unwrap());
    let definitions = "plain: {description: x, generate: {type: password}}\n\
                       hash: {description: x, generate: {type: bcrypt-password-hash, source: plain}}\n\
                       mtime: {description: x, generate: {type: mtime, source: plain}}\n";
    std::fs::write(root.path().join("applications/b/secrets.yaml"), definitions).unwrap();
    std::fs::write(root.path().join("applications/a/secrets.yaml"), "given: {description: x}\n").unwrap();
    let place = Place { server: &server, checkout: &checkout, environment: "e", cache: folder.path() };
    let (outlet, _) = outlet();
    // The hash is that of another password, as after a change by hand.
    let other = rsp_install::secrets::Generator::BcryptPasswordHash { source: "plain".into() };
    let hash = other.generate(Some(&SecretValue::new("before")), jiff::Timestamp::UNIX_EPOCH).unwrap();
    let held = serde_json::json!({"data": {"plain": "after", "hash": hash.expose(), "mtime": "1970-01-01T00:00:00Z"}});
    server.call("POST", "secret/data/phalanx/e/b", Some(held)).await.unwrap();
    let statics = placeholders(&checkout, "e");
    let session = place.session(Some(statics.clone()), Options::default(), &outlet).await.unwrap();
    assert_eq!(session.audit().mismatched, [SecretName::new("b", "hash"), SecretName::new("b", "mtime")]);
    session.apply(&session.plan().unwrap()).await.unwrap();

    let now = server.call("GET", "secret/data/phalanx/e/b", None).await.unwrap()["data"]["data"].clone();
    assert_eq!(now["plain"], "after");
    assert!(hash_matches(&SecretValue::new("after"), &SecretValue::new(now["hash"].as_str().unwrap())));
    assert_ne!(now["mtime"], "1970-01-01T00:00:00Z");
    // What we made is known to fit: the next look does not hash again.
    let begun = std::time::Instant::now();
    let again = place.session(Some(statics), Options::default(), &outlet).await.unwrap();
    assert!(again.plan().unwrap().is_empty());
    assert!(begun.elapsed() < std::time::Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// A checkout of three applications: a source, its copy, a static secret.
fn small() -> (tempfile::TempDir, Checkout) {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in [
        (
            "environments/values.yaml",
            "appOfAppsName: x\nvaultUrl: https://v\nrepoUrl: https://r\ntargetRevision: main\napplications: {a: true, b: true}\n",
        ),
        ("environments/values-e.yaml", "name: e\nfqdn: e.org\nvaultPathPrefix: secret/phalanx/e\napplications: {}\n"),
        ("applications/a/Chart.yaml", "name: a\nversion: 1.0.0\n"),
        ("applications/a/values-e.yaml", ""),
        ("applications/a/secrets.yaml", "given: {description: x}\ncopied: {copy: {application: b, key: made}}\n"),
        ("applications/b/Chart.yaml", "name: b\nversion: 1.0.0\n"),
        ("applications/b/values-e.yaml", ""),
        ("applications/b/secrets.yaml", "made: {description: x, generate: {type: password}}\n"),
    ] {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let checkout = Checkout::open(Arc::new(Directory::new(root.path()))).unwrap();
    (root, checkout)
}

#[tokio::test]
async fn concurrent_writers_lose_no_key_and_agree_on_one_value() {
    let Some(server) = Server::start("secret").await else { return };
    let ((_root, checkout), folder) = (small(), tempfile::tempdir().unwrap());
    let place = Place { server: &server, checkout: &checkout, environment: "e", cache: folder.path() };
    let statics = placeholders(&checkout, "e");
    let (outlet, _) = outlet();
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(place.session(Some(statics.clone()), Options::default(), &outlet).await.unwrap());
    }
    // All have seen an empty Vault; somebody else writes a key of his own before they write.
    let body = serde_json::json!({"data": {"theirs": "kept"}});
    server.call("POST", "secret/data/phalanx/e/b", Some(body)).await.unwrap();
    let runs = sessions.iter().map(|session| async { session.apply(&session.plan().unwrap()).await.unwrap() });
    futures::future::join_all(runs).await;
    let read = |application: &str| {
        let path = format!("secret/data/phalanx/e/{application}");
        let server = &server;
        async move { server.call("GET", &path, None).await.unwrap()["data"]["data"].clone() }
    };
    let (a, b) = (read("a").await, read("b").await);
    assert_eq!(b["theirs"], "kept");
    assert_eq!(a["copied"], b["made"]);
    assert_eq!(values_of(&server, "b", "made").await.len(), 1);
    let session = place.session(Some(statics), Options::default(), &outlet).await.unwrap();
    assert!(session.plan().unwrap().is_empty());
}

/// Every value that a key ever had, from Vault's version history.
async fn values_of(server: &Server, application: &str, key: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for version in 1.. {
        let path = format!("secret/data/phalanx/e/{application}?version={version}");
        let Some(answer) = server.call("GET", &path, None).await else { break };
        values.extend(answer["data"]["data"][key].as_str().map(str::to_owned));
    }
    values
}

#[tokio::test]
async fn a_login_that_may_only_read_audits_where_it_may_not_list() {
    let Some(server) = Server::start("secret").await else { return };
    let ((_root, checkout), folder) = (small(), tempfile::tempdir().unwrap());
    let place = Place { server: &server, checkout: &checkout, environment: "e", cache: folder.path() };
    let (outlet, told) = outlet();
    let session = place.session(Some(placeholders(&checkout, "e")), Options::default(), &outlet).await.unwrap();
    session.apply(&session.plan().unwrap()).await.unwrap();
    let environment = checkout.environment("e").unwrap();
    let reader = server.token("path \"secret/data/phalanx/e/+\" {\n  capabilities = [\"read\"]\n}").await;
    let means = Means {
        vault: server.client_with(&reader, &outlet),
        prefix: VaultPrefix::parse("secret/phalanx/e").unwrap(),
        verified: VerifiedHashes::open(folder.path()),
        now: jiff::Timestamp::now,
    };
    let session = Session::open(&checkout, &environment, None, Options::default(), means).await.unwrap();
    assert_eq!(session.audit(), Audit::default());
    assert!(told.0.lock().unwrap().iter().any(|event| event.contains("unknown secrets cannot be found")));
}
