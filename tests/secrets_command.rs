//! The commands about secrets, run as people run them, on a real Vault: killed anywhere, watched for what shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;
#[path = "program/watch.rs"]
mod watch;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vault_common::Server;
use vault_common::gateway::Gateway;
use vault_common::place::{Place, document, history};
use watch::{Seen, Watch};

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
async fn no_value_shows_in_any_output_file_event_or_child() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let temporary = place.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let (mut shown, watch) = (Vec::new(), Watch::start(place.folder.path()));
    for arguments in [
        vec!["audit", "--static", "static.yaml"],
        vec!["sync", "--static", "static.yaml"],
        vec!["sync", "--static", "static.yaml", "--regenerate"],
        vec!["audit"],
        vec!["template"],
    ] {
        let output = place.command("secret/canary/e", &arguments).env("TMPDIR", &temporary).output().unwrap();
        shown.extend([("standard output".to_owned(), output.stdout), ("standard error".to_owned(), output.stderr)]);
    }
    let Seen { children, mut files } = watch.end();
    let history = history(&server, "canary/e").await;
    assert!(history["b/made"].len() == 2, "regenerated once");
    assert!(children.keys().any(|process| process.contains("rsp-install")), "the watch saw nothing");
    let given = files.remove(&place.folder.path().join("static.yaml")).unwrap();
    assert!(given.contains("canary-static"));
    assert!(files.contains_key(&place.folder.path().join("events.json")));
    let texts = shown.into_iter().map(|(place, bytes)| (place, String::from_utf8_lossy(&bytes).into_owned()));
    let files = files.into_iter().map(|(path, text)| (path.display().to_string(), text));
    for (place, text) in texts.chain(files).chain(children) {
        for value in history.values().flatten().chain([&server.root]) {
            assert!(!text.contains(value.as_str()), "a value of a secret is in {place}");
        }
    }
}

/// Starts a command that may dump its memory as far as others are concerned, in this folder.
fn dumping(command: &Command, folder: &Path) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(folder);
    shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn crashed(child: &mut Child) -> bool {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGABRT).unwrap();
    child.wait().unwrap().core_dumped()
}

#[tokio::test]
async fn a_crash_leaves_no_memory_behind() {
    let Some(server) = Server::start("secret").await else { return };
    let gateway = Gateway::open(&server.address, None, Duration::from_secs(30));
    let place = Place::new(&server).with(&gateway.address, &[("VAULT_TOKEN", &server.root)]);
    let other = tempfile::tempdir().unwrap();
    let mut sleep = Command::new("sleep");
    let mut sleep = dumping(sleep.arg("60"), other.path());
    tokio::time::sleep(Duration::from_millis(300)).await;
    if !crashed(&mut sleep) {
        eprintln!("SKIPPED: this system writes no core dumps at all");
        return;
    }
    let mut program =
        dumping(&place.command("secret/crash/e", &["sync", "--static", "static.yaml"]), place.folder.path());
    let begun = Instant::now();
    while gateway.sent().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never asks Vault");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!crashed(&mut program), "it wrote its memory to a file");
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
