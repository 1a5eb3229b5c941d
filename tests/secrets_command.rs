//! The commands about secrets, run as people run them, on a real Vault: killed anywhere, watched for what shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;

use serde_json::json;
use std::path::Path;
use vault_common::Server;
use vault_common::place::{Place, document, history};

#[tokio::test]
async fn killed_at_any_write_the_next_sync_finishes_and_every_secret_had_one_value() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let sync = ["sync", "--static", "static.yaml"];
    let mut kills = 0;
    for write in 1.. {
        let before = kills;
        for moment in ["before", "answered", "after"] {
            let path = format!("kill/{write}-{moment}");
            let prefix = format!("secret/{path}");
            let killed =
                place.command(&prefix, &sync).env("RSP_INSTALL_KILL_AT", format!("{write}.{moment}")).output().unwrap();
            if killed.status.code().is_some() {
                assert!(killed.status.success(), "{killed:?}");
                continue;
            }
            kills += 1;
            let again = place.run(&prefix, &sync);
            assert!(again.status.success(), "{again:?}");
            let history = history(&server, &path).await;
            assert_eq!(history.len(), 7, "{history:?}");
            assert!(history.values().all(|values| values.len() == 1), "{path}: {history:?}");
            assert_eq!(history["a/copied"], history["b/made"]);
            assert_eq!(history["c/again"], history["a/made"]);
            let third = document(&place.run(&prefix, &sync));
            assert_eq!(third["requests"]["vault"]["writes"], 0, "{third}");
        }
        if kills == before {
            break;
        }
    }
    assert_eq!(kills, 9, "three writes, three moments each");
}

#[tokio::test]
async fn no_value_shows_in_any_output_file_or_event() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let mut shown = Vec::new();
    for arguments in [
        vec!["audit", "--static", "static.yaml"],
        vec!["sync", "--static", "static.yaml"],
        vec!["sync", "--static", "static.yaml", "--regenerate"],
        vec!["audit"],
        vec!["template"],
    ] {
        let output = place.run("secret/canary/e", &arguments);
        shown.extend([output.stdout, output.stderr]);
    }
    let history = history(&server, "canary/e").await;
    assert!(history["b/made"].len() == 2, "regenerated once");
    for file in ["events.json", "environments/e.yaml"] {
        shown.push(std::fs::read(place.folder.path().join(file)).unwrap());
    }
    files_below(&place.folder.path().join("cache"), &mut shown);
    for value in history.values().flatten().chain([&server.root]) {
        for text in &shown {
            assert!(!String::from_utf8_lossy(text).contains(value.as_str()), "a value of a secret shows");
        }
    }
}

fn files_below(folder: &Path, contents: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, contents) } else { contents.push(std::fs::read(path).unwrap()) }
    }
}

#[tokio::test]
async fn the_documents_and_exit_codes_are_those_of_the_contract() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let prefix = "secret/contract/e";
    let name = |application: &str, key: &str| json!({"application": application, "key": key});

    let unresolved = place.run(prefix, &["audit"]);
    assert_eq!(unresolved.status.code(), Some(3));
    assert_eq!(document(&unresolved)["unresolved"], json!([name("a", "given")]));
    assert_eq!(place.run(prefix, &["sync"]).status.code(), Some(2), "nobody can be asked");

    let dry = place.run(prefix, &["sync", "--static", "static.yaml", "--dry-run"]);
    assert_eq!((dry.status.code(), document(&dry)["created"].as_array().unwrap().len()), (Some(3), 7));
    let missing = place.run(prefix, &["audit", "--static", "static.yaml"]);
    assert_eq!((missing.status.code(), document(&missing)["missing"].as_array().unwrap().len()), (Some(3), 7));
    assert_eq!(
        document(&place.run(prefix, &["sync", "--static", "static.yaml"]))["created"].as_array().unwrap().len(),
        7
    );
    assert_eq!(place.run(prefix, &["audit"]).status.code(), Some(0));

    let other = json!({"data": {"made": "x", "token": "t", "more": "y"}});
    server.call("POST", "secret/data/contract/e/b", Some(other)).await.unwrap();
    let audit = place.run(prefix, &["audit"]);
    assert_eq!(document(&audit)["mismatched"], json!([name("a", "copied")]));
    assert_eq!(document(&audit)["unknown"], json!([name("b", "more")]));
    let synced = document(&place.run(prefix, &["sync", "--delete"]));
    assert_eq!((&synced["updated"], &synced["deleted"]), (&json!([name("a", "copied")]), &json!([name("b", "more")])));

    let copied = place.run("secret/copied/e", &["copy", "--from", prefix]);
    assert_eq!(document(&copied)["created"].as_array().unwrap().len(), 7, "{copied:?}");
    assert_eq!(place.run("secret/copied/e", &["audit"]).status.code(), Some(0));

    server.call("PUT", "sys/seal", None).await;
    assert_eq!(place.run(prefix, &["audit"]).status.code(), Some(7));
}

#[tokio::test]
async fn the_secrets_of_another_server_are_taken_over_and_names_are_only_proposed() {
    let (Some(old), Some(new)) = (Server::start("secret").await, Server::start("secret").await) else { return };
    let put = |application: &str, data: serde_json::Value| {
        let (path, old) = (format!("secret/data/k8s_operator/e/{application}"), &old);
        async move { old.call("POST", &path, Some(json!({ "data": data }))).await.unwrap() }
    };
    put("b", json!({"made": "old-made", "token": "old-token"})).await;
    put("nublado2", json!({"crypto_key": "old-key"})).await;
    put("deeper/still", json!({"k": "v"})).await;
    let gone = put("gone", json!({"k": "v"})).await;
    assert_eq!(gone["data"]["version"], 1);
    old.call("DELETE", "secret/data/k8s_operator/e/gone", None).await.unwrap();
    new.call("POST", "secret/data/new/e/b", Some(json!({"data": {"token": "new-token"}}))).await.unwrap();

    let place = Place::new(&new);
    let from = ["copy", "--from", "secret/k8s_operator/e", "--from-address", &old.address];
    let nobody = place.run("secret/new/e", &from);
    assert_eq!(nobody.status.code(), Some(2), "our own token is not for another server: {nobody:?}");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("VAULT_SOURCE_TOKEN_FILE"));

    let file = place.write("source-token", &format!("{}\n", old.root));
    let address = new.address.clone();
    let place = place.with(&address, &[("VAULT_TOKEN", &new.root), ("VAULT_SOURCE_TOKEN_FILE", &file)]);
    let name = |application: &str, key: &str| json!({"application": application, "key": key});
    let copied = document(&place.run("secret/new/e", &from));
    assert_eq!(copied["created"], json!([name("b", "made"), name("nublado2", "crypto_key")]), "{copied}");
    assert_eq!(copied["differing"], json!([name("b", "token")]));
    assert_eq!(copied["proposed"], json!([{"from": "nublado2", "to": "nublado"}]));
    let held = new.call("GET", "secret/data/new/e/b", None).await.unwrap();
    assert_eq!(held["data"]["data"], json!({"made": "old-made", "token": "new-token"}));
    assert!(new.call("GET", "secret/data/new/e/nublado", None).await.is_none(), "nobody asked for the rename");

    let asked = document(&place.run("secret/new/e", &[&from[..], &["--rename", "nublado2=nublado"]].concat()));
    assert_eq!((&asked["created"], &asked["proposed"]), (&json!([name("nublado", "crypto_key")]), &json!([])));
    let again = document(&place.run("secret/new/e", &[&from[..], &["--rename", "nublado2=nublado"]].concat()));
    assert_eq!(again["requests"]["vault"]["writes"], 0, "{again}");
    let over = document(&place.run("secret/new/e", &[&from[..], &["--overwrite"]].concat()));
    assert_eq!(over["updated"], json!([name("b", "token")]), "{over}");
    // The old server is only read.
    for application in ["b", "nublado2"] {
        let path = format!("secret/metadata/k8s_operator/e/{application}");
        assert_eq!(old.call("GET", &path, None).await.unwrap()["data"]["current_version"], 1);
    }
}
