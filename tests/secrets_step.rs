//! The step `secrets` with a login that may only read, on the sandbox's Vault.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use program::{Down, Program, Said, in_sandbox, said};
use reqwest::Method;
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::vault;
use serde_json::{Value, json};

/// A value that the definitions of grafana fix.
const FIXED: &str = "GF_AUTH_GENERIC_OAUTH_CLIENT_ID";
const STEP: [&str; 7] = ["--env", "sandbox", "--only", "secrets", "--yes", "--output", "json"];

fn call(program: &Program, token: &str, arguments: &[&str]) -> Said {
    said(&program.command(arguments).env("VAULT_TOKEN", token).output().unwrap())
}

/// A token whose policy this is.
async fn token(info: &SandboxInfo, name: &str, policy: &str) -> String {
    vault(info, Method::PUT, &format!("sys/policy/{name}"), json!({"policy": policy})).await;
    let made = vault(info, Method::POST, "auth/token/create", json!({"policies": [name]})).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

/// Changes an application's secret past our program.
async fn change(info: &SandboxInfo, application: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let path = format!("secret/data/phalanx/sandbox/{application}");
    let mut data = vault(info, Method::GET, &path, Value::Null).await["data"]["data"].clone();
    change(data.as_object_mut().unwrap());
    vault(info, Method::POST, &path, json!({"data": data})).await;
}

fn vault_writes(said: &Said) -> Value {
    said.json()["requests"]["vault"]["writes"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_only_read_tells_what_differs_and_stops_only_where_something_is_missing() {
    let Some(program) = in_sandbox() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(&program);
    for step in ["cluster", "secrets", "vaultCredentials"] {
        program.call(&["--env", "sandbox", "--only", step, "--yes", "--output", "json"]);
    }
    let status = program.call(&["sandbox", "status", "--output", "json"]).expect(0).json();
    let info: SandboxInfo = serde_json::from_value(status).unwrap();
    let reads = "path \"secret/data/phalanx/sandbox/+\" { capabilities = [\"read\"] }\n\
                 path \"secret/metadata/phalanx/sandbox/+\" { capabilities = [\"list\", \"read\"] }\n";
    let reader = token(&info, "reader", reads).await;

    // Nothing differs: a reader is enough.
    let converged = call(&program, &reader, &STEP);
    assert_eq!(converged.json()["pending"], json!([]), "{}", converged.stderr);

    // A fixed value is another one, and nothing missing: told, left alone, and the run goes on.
    change(&info, "grafana", |data| drop(data.insert(FIXED.into(), "another".into()))).await;
    let differing = call(&program, &reader, &STEP).expect(3);
    let object = format!("Vault secret grafana: {FIXED}");
    let expected = json!([{"step": "secrets", "action": "update", "object": object}]);
    assert_eq!(differing.json()["pending"], expected, "{}", differing.stderr);
    assert_eq!((differing.json()["changes"].clone(), vault_writes(&differing)), (json!([]), json!(0)));
    let plan = call(&program, &reader, &["plan", "--env", "sandbox", "--output", "json"]).expect(3);
    assert!(plan.json()["pending"].as_array().unwrap().contains(&expected[0]), "{}", plan.stdout);

    // A login that may write one application and reads the rest writes that one.
    change(&info, "argocd", |data| drop(data.remove("server.secretkey"))).await;
    let own =
        format!("{reads}path \"secret/data/phalanx/sandbox/argocd\" {{ capabilities = [\"read\", \"update\"] }}\n");
    let partly = call(&program, &token(&info, "partly", &own).await, &STEP).expect(3);
    assert_eq!(partly.json()["changes"][0]["object"], "Vault secret argocd: server.secretkey", "{}", partly.stdout);
    assert_eq!((partly.json()["pending"].clone(), vault_writes(&partly)), (expected, json!(1)));

    // Something is missing: nobody can go on without it, and nothing is half written.
    change(&info, "gafaelfawr", |data| drop(data.remove("session-secret"))).await;
    let missing = call(&program, &reader, &STEP).expect(7);
    let message = missing.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message, "our login may not write secrets, and Vault lacks gafaelfawr/session-secret");
    assert_eq!((missing.json()["changes"].clone(), vault_writes(&missing)), (json!([]), json!(0)));

    // A login that may write puts all of it right.
    program.call(&STEP);
    assert_eq!(call(&program, &reader, &STEP).json()["pending"], json!([]));
}
