//! The secrets operator's login, rotated on real servers under a login loop, and stopped on the way.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use program::{Down, in_sandbox};
use rsp_install::client::vault::{Login, Vault};
use rsp_install::engine::Outlet;
use rsp_install::sandbox::SandboxInfo;
use rsp_install::secret_value::SecretValue;
use sandbox_common::client;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_never_fails_a_login_and_ends_with_one_secret_id() {
    let Some(program) = in_sandbox() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(&program);
    for step in ["cluster", "secrets", "vaultCredentials", "secretsOperator"] {
        program.call(&["--env", "sandbox", "--only", step, "--yes", "--output", "json"]);
    }
    let status = program.call(&["sandbox", "status", "--output", "json"]).expect(0).json();
    let info: SandboxInfo = serde_json::from_value(status).unwrap();
    program.call(&["access", "audit", "--env", "sandbox", "--output", "json"]).expect(0);

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

    let rotated = program.call(&["access", "rotate", "--env", "sandbox", "--output", "json"]).expect(0).json();
    assert_eq!(rotated["destroyed"].as_array().unwrap().len(), 1, "{rotated}");

    // Killed after each write's answer, until one is not reached; whatever was left, the next rotation clears.
    for write in 1.. {
        let mut command = program.command(&["access", "rotate", "--env", "sandbox"]);
        let killed = command.env("RSP_INSTALL_KILL_AT", format!("{write}.answered")).output().unwrap();
        if killed.status.code().is_some() {
            assert!(killed.status.success(), "{killed:?}");
            break;
        }
    }
    program.call(&["access", "audit", "--env", "sandbox", "--output", "json"]).expect(0);
    assert_eq!(vault.secret_id_accessors("sandbox").await.unwrap().len(), 1);

    stop.store(true, Ordering::Relaxed);
    looped.await.unwrap();
    assert!(logins.load(Ordering::Relaxed) > 10);
    let again = program.call(&["--env", "sandbox", "--only", "vaultCredentials", "--output", "json"]).json();
    assert_eq!(again["changes"], serde_json::json!([]), "after a rotation there is nothing to install: {again}");
}
