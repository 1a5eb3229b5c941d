//! The main job on the real servers of a sandbox: a fresh installation, the run after it, and what they leave behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;
#[path = "program/watch.rs"]
mod watch;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use program::{Down, Program, Said, fits, mini_phalanx, said, sandbox_file};
use rsp_install::client::kubernetes::resource;
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::{client, kubernetes_writes, processes_of, vault, vault_writes};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use watch::{Seen, Watch, files_below};

/// The program with the sandbox's environment file, and a helm that writes down how it was called.
fn sandbox_program(repository: &Path) -> Option<Program> {
    let program = Program::new(&[("sandbox", sandbox_file(repository))]);
    let helm = program.tools()?.join("helm");
    let (bin, log) = (program.path().join("bin"), program.path().join("helm-calls"));
    std::fs::create_dir(&bin).unwrap();
    std::fs::create_dir(program.path().join("tmp")).unwrap();
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; env; }} >>'{}'\nexec '{}' \"$@\"\n",
        log.display(),
        helm.display()
    );
    std::fs::write(bin.join("helm"), script).unwrap();
    std::fs::set_permissions(bin.join("helm"), std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(program)
}

fn call(program: &Program, arguments: &[&str]) -> Said {
    let mut command = program.command(arguments);
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap().to_owned();
    command.env("PATH", format!("{}:{}", program.path().join("bin").display(), path.to_str().unwrap()));
    // Whatever is written for a moment is written where it is watched for.
    command.env("TMPDIR", program.path().join("tmp"));
    said(&command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_installation_converges_and_the_next_run_writes_nothing() {
    let Some(repository) = mini_phalanx() else { return };
    let Some(program) = sandbox_program(&repository) else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(&program);
    let mut outputs = Vec::new();

    outputs.push(a_plan_before_the_cluster_says_what_is_known_after(&program));

    let watch = Watch::start(&program.path().join("tmp"));
    let first = call(&program, &["--env", "sandbox", "--output", "json", "--events", "events.jsonl", "-v"]).expect(0);
    let seen = watch.end();
    let document = first.json();
    fits("install", &document);
    assert_eq!(document["result"], "converged");
    outputs.push(first);
    let info = program.info();
    everything_is_synced_and_healthy(&info, &repository).await;

    outputs.push(the_next_run_writes_nothing(&program, &info));
    outputs.push(the_status_shows_every_application(&program));
    no_secret_is_anywhere(&program, &info, &outputs, seen).await;
    another_environment_may_not_use_the_cluster(&program, &info);
    validation_finds_a_strange_admin_password_and_a_name_that_leads_nowhere(&program, &info).await;
    a_sealed_vault_is_exit_7(&program, &info).await;
}

fn a_plan_before_the_cluster_says_what_is_known_after(program: &Program) -> Said {
    let plan = call(program, &["plan", "--env", "sandbox", "--output", "json"]).expect(3);
    let document = plan.json();
    fits("plan", &document);
    assert_eq!(document["changes"][0]["step"], "cluster");
    let unknown: Vec<&str> =
        document["unknown"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    for step in ["storage", "secrets", "argocd", "appOfApps", "sync"] {
        assert!(unknown.contains(&step), "{step} is not in {unknown:?}");
    }
    assert!(!program.path().join("cache/sandbox").exists(), "a plan starts nothing");
    plan
}

async fn everything_is_synced_and_healthy(info: &SandboxInfo, repository: &Path) {
    let head =
        std::process::Command::new("git").arg("-C").arg(repository).args(["rev-parse", "main"]).output().unwrap();
    let commit = String::from_utf8(head.stdout).unwrap().trim().to_owned();
    let kind = resource("argoproj.io/v1alpha1", "Application");
    let api: Api<DynamicObject> = Api::namespaced_with(client(info).await, "argocd", &kind);
    let applications = api.list(&ListParams::default()).await.unwrap();
    assert!(applications.items.len() > 10, "{}", applications.items.len());
    for application in applications {
        let status = &application.data["status"];
        let found = (&status["sync"]["status"], &status["health"]["status"], &status["sync"]["revision"]);
        assert_eq!(found, (&"Synced".into(), &"Healthy".into(), &commit.clone().into()), "{}", application.name_any());
        let automated = &application.data["spec"]["syncPolicy"]["automated"];
        let never = ["argocd", "vault-secrets-operator"].contains(&application.name_any().as_str());
        assert_eq!(automated.is_null(), never, "{} on a bleed environment", application.name_any());
    }
}

fn the_next_run_writes_nothing(program: &Program, info: &SandboxInfo) -> Said {
    let before = (kubernetes_writes(info), vault_writes(info));
    assert!(before.0.len() > 50 && before.1.len() > 10, "the first run's writes are there to be seen: {before:?}");
    let second = call(program, &["--env", "sandbox", "--output", "json"]).expect(0);
    let after = (kubernetes_writes(info), vault_writes(info));
    assert_eq!(after.0[before.0.len()..], [] as [String; 0]);
    assert_eq!(after.1[before.1.len()..], [] as [String; 0]);
    let document = second.json();
    assert_eq!((&document["result"], &document["changes"]), (&"converged".into(), &Value::Array(Vec::new())));
    for system in ["kubernetes", "vault", "openstack"] {
        assert_eq!(document["requests"][system]["writes"], 0, "{document:#}");
    }
    eprintln!("MEASURED: no-op run {} s, requests {}", document["elapsedSeconds"], document["requests"]);
    second
}

fn the_status_shows_every_application(program: &Program) -> Said {
    let status = call(program, &["status", "--env", "sandbox", "--output", "json"]).expect(0);
    let document = status.json();
    fits("status", &document);
    let applications = document["applications"].as_array().unwrap();
    assert!(
        applications
            .iter()
            .any(|application| application["name"] == "gafaelfawr" && application["health"] == "Healthy")
    );
    assert!(document["steps"].as_array().unwrap().iter().all(|step| step["status"] == "converged"), "{document:#}");
    status
}

/// Every value in Vault, wherever it lies.
async fn vault_values(info: &SandboxInfo) -> Vec<String> {
    let mut values = Vec::new();
    let prefix = "phalanx/sandbox";
    let list = vault(info, reqwest::Method::GET, &format!("secret/metadata/{prefix}?list=true"), Value::Null).await;
    for application in list["data"]["keys"].as_array().unwrap() {
        let path = format!("secret/data/{prefix}/{}", application.as_str().unwrap());
        let secret = vault(info, reqwest::Method::GET, &path, Value::Null).await;
        let texts = secret["data"]["data"].as_object().unwrap().values().filter_map(Value::as_str);
        values.extend(texts.map(str::to_owned));
    }
    // Short and public texts (user names, `[]`, times) are found by chance; keys and passwords are long.
    values.retain(|value| value.len() >= 16 && !value.starts_with("20"));
    values.push(std::fs::read_to_string(&info.vault_token_file).unwrap().trim().to_owned());
    values
}

async fn no_secret_is_anywhere(program: &Program, info: &SandboxInfo, outputs: &[Said], seen: Seen) {
    let values = vault_values(info).await;
    assert!(values.len() > 15, "{}", values.len());
    let mut places: Vec<(String, String)> = Vec::new();
    for (number, said) in outputs.iter().enumerate() {
        places.push((format!("output {number}"), format!("{}{}", said.stdout, said.stderr)));
    }
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
    places.push(read(program.path().join("events.jsonl")));
    places.push(read(program.path().join("helm-calls")));
    places.push(read(info.kubernetes_audit_log.clone()));
    assert!(seen.children.keys().any(|process| process.contains("environment of") && process.contains("helm")));
    places.extend(seen.children);
    // All that is kept, but the sandbox's own data: that is Vault and the cluster.
    let mut files = seen.files;
    for entry in std::fs::read_dir(program.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("sandbox") {
            files_below(&path, &mut files);
        }
    }
    assert!(files.keys().any(|path| path.starts_with(program.path().join("cache/renders"))));
    places.extend(files.into_iter().map(|(path, text)| (path.display().to_string(), text)));
    // The servers, too, get their secrets from files and requests.
    let servers = processes_of(&program.path().join("cache/sandbox"));
    assert!(servers.len() > 5, "{servers:?}");
    for process in servers {
        for file in ["cmdline", "environ"] {
            let content = std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            places.push((format!("{file} of {process}"), String::from_utf8_lossy(&content).into_owned()));
        }
    }
    for (group_version, kind) in [
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("argoproj.io/v1alpha1", "Application"),
        ("ricoberger.de/v1alpha1", "VaultSecret"),
        ("v1", "Namespace"),
    ] {
        let api: Api<DynamicObject> = Api::all_with(client(info).await, &resource(group_version, kind));
        for object in api.list(&ListParams::default()).await.unwrap() {
            let annotations = serde_json::to_string(object.annotations()).unwrap();
            places.push((format!("annotations of {kind} {}", object.name_any()), annotations));
        }
    }
    for (place, text) in &places {
        let leaked = values.iter().filter(|value| text.contains(value.as_str())).count();
        assert_eq!(leaked, 0, "{leaked} secrets are in {place}");
    }
}

fn another_environment_may_not_use_the_cluster(program: &Program, info: &SandboxInfo) {
    let other = program.as_existing(info).replace("name: sandbox\n", "name: other\n");
    program.write("environments/other.yaml", &other);
    let said = call(program, &["--env", "other", "--yes"]).expect(6);
    assert!(said.stderr.contains("belongs to environment \"sandbox\""), "{}", said.stderr);
}

async fn validation_finds_a_strange_admin_password_and_a_name_that_leads_nowhere(
    program: &Program,
    info: &SandboxInfo,
) {
    // Without the secrets operator, which would put it right again at once.
    let client = client(info).await;
    let deployments: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "vault-secrets-operator", &resource("apps/v1", "Deployment"));
    let none = serde_json::json!({"spec": {"replicas": 0}});
    deployments.patch("vault-secrets-operator", &PatchParams::default(), &Patch::Merge(&none)).await.unwrap();
    let pods: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "vault-secrets-operator", &resource("v1", "Pod"));
    for _ in 0..100 {
        if pods.list(&ListParams::default()).await.unwrap().items.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let secrets: Api<DynamicObject> = Api::namespaced_with(client, "argocd", &resource("v1", "Secret"));
    let strange = serde_json::json!({"stringData": {"admin.password": "$2b$15$somebodyelses"}});
    secrets.patch("argocd-secret", &PatchParams::default(), &Patch::Merge(&strange)).await.unwrap();
    program.write("existing/sandbox.yaml", &program.as_existing(info));
    let mut command =
        program.command(&["--environments", "existing", "--env", "sandbox", "--only", "validation", "--yes"]);
    command.env("VAULT_TOKEN_FILE", &info.vault_token_file);
    let said = said(&command.output().unwrap()).expect(1);
    for expected in ["admin.password of Secret argocd/argocd-secret is not what Vault holds", "sandbox.example.org"] {
        assert!(said.stderr.contains(expected), "{expected} is not in\n{}", said.stderr);
    }
    assert!(!said.stderr.contains("somebodyelses"), "{}", said.stderr);
}

async fn a_sealed_vault_is_exit_7(program: &Program, info: &SandboxInfo) {
    let _ = vault(info, reqwest::Method::PUT, "sys/seal", Value::Null).await;
    let said = call(program, &["--env", "sandbox", "--timeout", "30s"]).expect(7);
    assert!(said.stderr.contains("sealed"), "{}", said.stderr);
}
