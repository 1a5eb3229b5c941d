//! The commands about secrets, run as people run them, on a real Vault: killed anywhere, watched for what shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use vault_common::Server;

/// Three applications: `b` makes secrets, `a` and `c` copy and are given some.
const CHECKOUT: [(&str, &str); 11] = [
    (
        "environments/values.yaml",
        "appOfAppsName: x\nvaultUrl: https://v.invalid\nrepoUrl: https://r\ntargetRevision: main\napplications: {a: true, b: true, c: true}\n",
    ),
    ("environments/values-e.yaml", "name: e\nfqdn: e.org\nvaultPathPrefix: secret/phalanx/e\n"),
    ("applications/a/Chart.yaml", "name: a\nversion: 1.0.0\n"),
    ("applications/a/values-e.yaml", "enabled: yes\n"),
    (
        "applications/a/secrets.yaml",
        "given: {description: x}\nmade: {description: x, if: enabled, generate: {type: password}}\ncopied: {copy: {application: b, key: made}}\n",
    ),
    ("applications/b/Chart.yaml", "name: b\nversion: 1.0.0\n"),
    ("applications/b/values-e.yaml", ""),
    (
        "applications/b/secrets.yaml",
        "made: {description: x, generate: {type: password}}\ntoken: {description: x, generate: {type: gafaelfawr-token}}\n",
    ),
    ("applications/c/Chart.yaml", "name: c\nversion: 1.0.0\n"),
    ("applications/c/values-e.yaml", ""),
    (
        "applications/c/secrets.yaml",
        "fernet: {description: x, generate: {type: fernet-key}}\nagain: {copy: {application: a, key: made}}\n",
    ),
];

const STATICS: &str = "applications: {a: {given: {value: canary-static}}}\n";

/// A folder with the checkout as a Git repository, an environment file, and static secrets.
struct Place {
    folder: tempfile::TempDir,
    address: String,
    token: String,
}

impl Place {
    fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in CHECKOUT {
            let path = folder.path().join("phalanx").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let git = |arguments: &[&str]| {
            let done = Command::new("git").current_dir(folder.path().join("phalanx")).args(arguments).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "-q", "-b", "main"]);
        git(&["add", "."]);
        git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"]);
        std::fs::create_dir(folder.path().join("environments")).unwrap();
        std::fs::write(folder.path().join("static.yaml"), STATICS).unwrap();
        Self { folder, address: server.address.clone(), token: server.root.clone() }
    }

    /// Runs a command below `secrets`, with secrets under this prefix.
    fn run(&self, prefix: &str, arguments: &[&str], kill_at: Option<&str>) -> Output {
        let file = format!(
            "name: e\nphalanx: {{repository: ../phalanx, branch: main, environment: e}}\nvault: {{address: \"{}\", pathPrefix: {prefix}}}\n",
            self.address
        );
        std::fs::write(self.folder.path().join("environments/e.yaml"), file).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rsp-install"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("RSP_INSTALL_CACHE", self.folder.path().join("cache"))
            .env("VAULT_TOKEN", &self.token)
            .args(["--env", "e", "--output", "json", "--events", "events.json", "--verbose", "secrets"])
            .args(arguments);
        if let Some(kill_at) = kill_at {
            command.env("RSP_INSTALL_KILL_AT", kill_at);
        }
        command.output().unwrap()
    }
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Every value that every key under a prefix ever had.
async fn history(server: &Server, path: &str) -> std::collections::BTreeMap<String, BTreeSet<String>> {
    let mut values: std::collections::BTreeMap<String, BTreeSet<String>> = std::collections::BTreeMap::default();
    for application in ["a", "b", "c"] {
        for version in 1.. {
            let path = format!("secret/data/{path}/{application}?version={version}");
            let Some(answer) = server.call("GET", &path, None).await else { break };
            for (key, value) in answer["data"]["data"].as_object().unwrap() {
                let known = values.entry(format!("{application}/{key}")).or_default();
                known.insert(value.as_str().unwrap().to_owned());
            }
        }
    }
    values
}

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
            let killed = place.run(&prefix, &sync, Some(&format!("{write}.{moment}")));
            if killed.status.code().is_some() {
                assert!(killed.status.success(), "{killed:?}");
                continue;
            }
            kills += 1;
            let again = place.run(&prefix, &sync, None);
            assert!(again.status.success(), "{again:?}");
            let history = history(&server, &path).await;
            assert_eq!(history.len(), 7, "{history:?}");
            assert!(history.values().all(|values| values.len() == 1), "{path}: {history:?}");
            assert_eq!(history["a/copied"], history["b/made"]);
            assert_eq!(history["c/again"], history["a/made"]);
            let third = document(&place.run(&prefix, &sync, None));
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
        let output = place.run("secret/canary/e", &arguments, None);
        shown.extend([output.stdout, output.stderr]);
    }
    let history = history(&server, "canary/e").await;
    assert!(history["b/made"].len() == 2, "regenerated once");
    for file in ["events.json", "environments/e.yaml"] {
        shown.push(std::fs::read(place.folder.path().join(file)).unwrap());
    }
    files_below(&place.folder.path().join("cache"), &mut shown);
    for value in history.values().flatten().chain([&place.token]) {
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

    let unresolved = place.run(prefix, &["audit"], None);
    assert_eq!(unresolved.status.code(), Some(3));
    assert_eq!(document(&unresolved)["unresolved"], json!([name("a", "given")]));
    assert_eq!(place.run(prefix, &["sync"], None).status.code(), Some(2), "nobody can be asked");

    let dry = place.run(prefix, &["sync", "--static", "static.yaml", "--dry-run"], None);
    assert_eq!((dry.status.code(), document(&dry)["created"].as_array().unwrap().len()), (Some(3), 7));
    let missing = place.run(prefix, &["audit", "--static", "static.yaml"], None);
    assert_eq!((missing.status.code(), document(&missing)["missing"].as_array().unwrap().len()), (Some(3), 7));
    assert_eq!(
        document(&place.run(prefix, &["sync", "--static", "static.yaml"], None))["created"].as_array().unwrap().len(),
        7
    );
    assert_eq!(place.run(prefix, &["audit"], None).status.code(), Some(0));

    let other = json!({"data": {"made": "x", "token": "t", "more": "y"}});
    server.call("POST", "secret/data/contract/e/b", Some(other)).await.unwrap();
    let audit = place.run(prefix, &["audit"], None);
    assert_eq!(document(&audit)["mismatched"], json!([name("a", "copied")]));
    assert_eq!(document(&audit)["unknown"], json!([name("b", "more")]));
    let synced = document(&place.run(prefix, &["sync", "--delete"], None));
    assert_eq!((&synced["updated"], &synced["deleted"]), (&json!([name("a", "copied")]), &json!([name("b", "more")])));

    let copied = place.run("secret/copied/e", &["copy", "--from", prefix], None);
    assert_eq!(document(&copied)["created"].as_array().unwrap().len(), 7, "{copied:?}");
    assert_eq!(place.run("secret/copied/e", &["audit"], None).status.code(), Some(0));

    server.call("PUT", "sys/seal", None).await;
    assert_eq!(place.run(prefix, &["audit"], None).status.code(), Some(7));
}
