//! The secrets operator's login on real servers: rotated under a login loop, stopped on the way, an AppRole's or a token.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use program::{Down, Program, in_sandbox, mini_phalanx, said, sandbox_file};
use rsp_install::client::vault::{Login, Vault};
use rsp_install::engine::Outlet;
use rsp_install::sandbox::SandboxInfo;
use rsp_install::secret_value::SecretValue;
use sandbox_common::client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const NAMESPACE: &str = "vault-secrets-operator";

fn root(info: &SandboxInfo) -> Vault {
    let token = std::fs::read_to_string(&info.vault_token_file).unwrap();
    Vault::connect(Login::with_token(&info.vault_address, SecretValue::new(token.trim())).unwrap(), Outlet::default())
        .unwrap()
}

/// What anybody who starts now would log in with.
async fn installed(secrets: &Api<Secret>) -> (String, SecretValue) {
    let data = secrets.get("vault-credentials").await.unwrap().data.unwrap();
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    (text("VAULT_ROLE_ID"), SecretValue::new(text("VAULT_SECRET_ID")))
}

const INSTALL: [&str; 7] = ["--env", "sandbox", "--only", "vaultCredentials", "--yes", "--output", "json"];

/// Everything up to a running secrets operator.
fn up(program: &Program) -> SandboxInfo {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for step in ["cluster", "secrets", "vaultCredentials", "secretsOperator"] {
        program.call(&["--env", "sandbox", "--only", step, "--yes", "--output", "json"]);
    }
    let status = program.call(&["sandbox", "status", "--output", "json"]).expect(0).json();
    serde_json::from_value(status).unwrap()
}

/// Calls `access` without a complaint.
fn access(program: &Program, command: &str) -> Value {
    program.call(&["access", command, "--env", "sandbox", "--output", "json"]).expect(0).json()
}

/// Calls with a kill after the answer to the `write`-th write; whether it was reached.
fn killed(program: &Program, arguments: &[&str], write: u32) -> bool {
    let mut command = program.command(arguments);
    let output = command.env("RSP_INSTALL_KILL_AT", format!("{write}.answered")).output().unwrap();
    output.status.code().is_none()
}

/// When the Secret was written last, and when the operator's pods were made.
async fn times(info: &SandboxInfo, secret: &str) -> (jiff::Timestamp, Vec<jiff::Timestamp>) {
    let secrets: Api<Secret> = Api::namespaced(client(info).await, NAMESPACE);
    let secret = secrets.get(secret).await.unwrap();
    let written = secret.managed_fields().iter().filter_map(|entry| Some(entry.time.as_ref()?.0)).max().unwrap();
    let pods: Api<Pod> = Api::namespaced(client(info).await, NAMESPACE);
    let pods = pods.list(&ListParams::default()).await.unwrap();
    let running = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    (written, running.map(|pod| pod.creation_timestamp().unwrap().0).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_never_fails_a_login_and_ends_with_one_secret_id() {
    let Some(program) = in_sandbox() else { return };
    let _down = Down(&program);
    let info = up(&program);
    access(&program, "audit");

    let secrets: Api<Secret> = Api::namespaced(client(&info).await, NAMESPACE);
    let (vault, stop, logins) = (root(&info), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let looped = tokio::spawn({
        let (vault, stop, logins) = (vault.clone(), Arc::clone(&stop), Arc::clone(&logins));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let (role_id, secret_id) = installed(&secrets).await;
                assert!(vault.try_login(&role_id, &secret_id).await.unwrap(), "a login failed");
                logins.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    });

    let rotated = access(&program, "rotate");
    assert_eq!(rotated["destroyed"].as_array().unwrap().len(), 1, "{rotated}");

    // Killed after each write's answer, until one is not reached; whatever was left, the next rotation clears.
    let rotate = ["access", "rotate", "--env", "sandbox"];
    assert!((1..100).take_while(|write| killed(&program, &rotate, *write)).count() > 5);
    access(&program, "audit");
    assert_eq!(vault.secret_id_accessors("sandbox").await.unwrap().len(), 1);

    stop.store(true, Ordering::Relaxed);
    looped.await.unwrap();
    assert!(logins.load(Ordering::Relaxed) > 10);
    let again = program.call(&INSTALL).json();
    assert_eq!(again["changes"], json!([]), "after a rotation there is nothing to install: {again}");
    an_installation_notices_an_operator_that_runs_with_an_earlier_login(&program, &info, &vault).await;
    a_given_secret_id_is_installed_as_it_is(&program, &info, &vault).await;
}

async fn an_installation_notices_an_operator_that_runs_with_an_earlier_login(
    program: &Program,
    info: &SandboxInfo,
    vault: &Vault,
) {
    // The rotation's second write is the Secret, its third starts the operator anew.
    assert!(killed(program, &["access", "rotate", "--env", "sandbox"], 2));
    let restart = json!({"step": "vaultCredentials", "action": "restart", "object": "Deployment vault-secrets-operator/vault-secrets-operator"});
    let audit = program.call(&["access", "audit", "--env", "sandbox", "--output", "json"]).expect(3);
    assert!(audit.stdout.contains("it started before its login was installed"), "{}", audit.stdout);
    assert_eq!(program.call(&INSTALL).json()["changes"], json!([restart]));
    assert_eq!(program.call(&INSTALL).json()["changes"], json!([]));
    access(program, "rotate");

    // An installation that issues a login, killed after each of its writes: the next one ends with an operator that
    // started after its Secret was written, and the one after that changes nothing.
    let mut kills = 0;
    for write in 1.. {
        for accessor in vault.secret_id_accessors("sandbox").await.unwrap() {
            vault.destroy_secret_id("sandbox", &accessor).await.unwrap();
        }
        let reached = killed(program, &INSTALL, write);
        kills += u32::from(reached);
        program.call(&INSTALL);
        let (written, started) = times(info, "vault-credentials").await;
        assert!(!started.is_empty() && started.iter().all(|started| *started >= written), "{written} {started:?}");
        assert_eq!(program.call(&INSTALL).json()["changes"], json!([]), "killed at {write}");
        if !reached {
            break;
        }
    }
    assert!(kills >= 3, "{kills}");
}

async fn a_given_secret_id_is_installed_as_it_is(program: &Program, info: &SandboxInfo, vault: &Vault) {
    let (role_id, _) = installed(&Api::namespaced(client(info).await, NAMESPACE)).await;
    let new = vault.new_secret_id("sandbox", &BTreeMap::new()).await.unwrap();
    program.write("role-id", &format!("{role_id}\n"));
    program.write("secret-id", new.id.expose());
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.envs(variables.iter().map(|(name, file)| (*name, program.path().join(file))));
        said(&command.output().unwrap())
    };
    let files = [("VAULT_ROLE_ID_FILE", "role-id"), ("VAULT_SECRET_ID_FILE", "secret-id")];
    let changes = with(&files, &INSTALL).json()["changes"].clone();
    let object = format!("Secret {NAMESPACE}/vault-credentials with the given credentials");
    assert_eq!((changes.as_array().unwrap().len(), &changes[0]["object"]), (1, &json!(object)), "{changes}");
    let now = installed(&Api::namespaced(client(info).await, NAMESPACE)).await;
    assert!(now.0 == role_id && now.1 == new.id);
    assert_eq!(with(&files, &INSTALL).json()["changes"], json!([]));
    with(&files, &["access", "rotate", "--env", "sandbox"]).expect(2);
    with(&files[..1], &INSTALL).expect(2);
}

/// The miniature phalanx whose operator reads a token from a Secret of another name.
fn with_token(program: &Program) {
    let git = |arguments: &[&str], at: &Path| {
        let done = Command::new("git").current_dir(at).args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let place = program.path().join("phalanx");
    git(&["clone", "-q", mini_phalanx().unwrap().to_str().unwrap(), place.to_str().unwrap()], program.path());
    let values = "vault-secrets-operator:\n  environmentVars:\n  - {name: VAULT_TOKEN, valueFrom: {secretKeyRef: {name: operator-token, key: TOKEN}}}\n  \
                  - {name: VAULT_TOKEN_LEASE_DURATION, value: \"31536000\"}\n  vault: {authMethod: token}\n";
    program.write("phalanx/applications/vault-secrets-operator/values-sandbox.yaml", values);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "token"], &place);
    program.write("environments/sandbox.yaml", &sandbox_file(&place));
}

/// The token that the operator reads.
async fn operator_token(info: &SandboxInfo) -> SecretValue {
    let secrets: Api<Secret> = Api::namespaced(client(info).await, NAMESPACE);
    let data = secrets.get("operator-token").await.unwrap().data.unwrap();
    assert_eq!(data.len(), 1, "the lease is a literal in the values");
    SecretValue::new(String::from_utf8(data["TOKEN"].0.clone()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_values_want_a_token_one_is_made_and_rotated() {
    const NAME: &str = "vault-secrets-operator-sandbox";
    let Some(program) = in_sandbox() else { return };
    with_token(&program);
    let _down = Down(&program);
    let info = up(&program);
    let vault = root(&info);
    assert_eq!(program.call(&INSTALL).json()["changes"], json!([]), "there is a token, and it is good");
    let made = vault.tokens_named(NAME).await.unwrap();
    assert_eq!((made.len(), &made[0].policies[1..]), (1, &["phalanx/sandbox/read".to_owned()][..]), "{made:?}");
    access(&program, "audit");

    // The rotation's proof is a Secret that the operator makes: it runs with the token.
    let first = operator_token(&info).await;
    let rotated = access(&program, "rotate");
    assert_eq!(
        (&rotated["kind"], rotated["destroyed"][0].as_str()),
        (&json!("token"), Some(made[0].accessor.as_str()))
    );
    let second = operator_token(&info).await;
    assert!(!vault.try_token(&first).await.unwrap() && vault.try_token(&second).await.unwrap());

    // Killed after each write, until one is not reached; the token that is installed always works.
    let rotate = ["access", "rotate", "--env", "sandbox"];
    for write in 1.. {
        let reached = killed(&program, &rotate, write);
        assert!(vault.try_token(&operator_token(&info).await).await.unwrap(), "killed at {write}");
        if !reached {
            break;
        }
    }
    access(&program, "audit");
    assert_eq!(vault.tokens_named(NAME).await.unwrap().len(), 1);

    // One that is revoked is replaced.
    vault.revoke_token(&vault.tokens_named(NAME).await.unwrap()[0].accessor).await.unwrap();
    program.call(&["access", "audit", "--env", "sandbox", "--output", "json"]).expect(3);
    let changes = program.call(&INSTALL).json()["changes"].clone();
    assert_eq!(changes[0]["object"], format!("Secret {NAMESPACE}/operator-token with a new token {NAME}"), "{changes}");
    assert!(vault.try_token(&operator_token(&info).await).await.unwrap());

    // One that is given is installed as it is and never rotated.
    let given = vault.new_token("given", "phalanx/sandbox/read", &BTreeMap::new(), 3600).await.unwrap().token;
    program.write("given", &format!("{}\n", given.expose()));
    let with_given = |arguments: &[&str]| {
        said(
            &program
                .command(arguments)
                .env("VAULT_OPERATOR_TOKEN_FILE", program.path().join("given"))
                .output()
                .unwrap(),
        )
    };
    let changes = with_given(&INSTALL).json()["changes"].clone();
    assert_eq!(
        changes[0]["object"],
        format!("Secret {NAMESPACE}/operator-token with the given credentials"),
        "{changes}"
    );
    assert!(operator_token(&info).await == given);
    assert_eq!(with_given(&INSTALL).json()["changes"], json!([]));
    with_given(&rotate).expect(2);
    assert!(operator_token(&info).await == given);
}
