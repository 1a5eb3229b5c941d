//! The step `storage` alone, on the real API server of a sandbox: what is changed, what is explained, what is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use kube::Api;
use kube::api::{DynamicObject, ListParams, PostParams};
use program::{Program, Said, fits, mini_phalanx};
use rsp_install::client::kubernetes::resource;
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::{audit, client};
use serde_json::{Value, json};

const STANDARD: &str = "{class: standard, provisioner: sandbox.rsp-install.lsst.io/volumes, default: true}";

/// Takes the sandbox down however the test ends.
struct Down<'a>(&'a Program);
impl Drop for Down<'_> {
    fn drop(&mut self) {
        let said = self.0.call(&["sandbox", "down"]);
        if said.code != Some(0) {
            eprintln!("{}", said.stderr);
        }
    }
}

/// One environment whose storage classes change from call to call.
struct Scene<'a> {
    program: &'a Program,
    file: String,
}

impl Scene<'_> {
    /// Calls the program with these classes and flags.
    fn call(&self, classes: &str, flags: &[&str]) -> Said {
        self.program.write("environments/sandbox.yaml", &self.file.replace(STANDARD, classes));
        self.program.call(&[&["--env", "sandbox", "--output", "json"], flags].concat())
    }

    /// Runs the step alone.
    fn storage(&self, classes: &str, flags: &[&str]) -> Said {
        self.call(classes, &[&["--only", "storage"], flags].concat())
    }
}

/// What a document says of the step: actions with their objects.
fn changes(document: &Value) -> Vec<String> {
    let all = document["changes"].as_array().unwrap().iter().filter(|change| change["step"] == "storage");
    all.map(|change| format!("{} {}", change["action"].as_str().unwrap(), change["object"].as_str().unwrap())).collect()
}

/// Everything that was said: a run's failure is in its document.
fn told(said: &Said) -> String {
    format!("{}{}", said.stderr, said.stdout)
}

/// Writes on storage classes in the API server's audit log, by us.
fn writes(info: &SandboxInfo) -> usize {
    let ours = |event: &&Value| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("rsp-install/"));
    let written = |event: &&Value| {
        let uri = event["requestURI"].as_str().unwrap_or_default();
        event["stage"] == "ResponseComplete"
            && !["get", "list", "watch"].contains(&event["verb"].as_str().unwrap_or_default())
            && event["objectRef"]["resource"] == "storageclasses"
            && !uri.contains("dryRun=All")
    };
    audit(&info.kubernetes_audit_log).iter().filter(ours).filter(written).count()
}

async fn classes(info: &SandboxInfo) -> Api<DynamicObject> {
    Api::all_with(client(info).await, &resource("storage.k8s.io/v1", "StorageClass"))
}

/// Name and identity of every class.
async fn identities(info: &SandboxInfo) -> Vec<(String, String)> {
    let list = classes(info).await.list(&ListParams::default()).await.unwrap();
    list.items.into_iter().map(|one| (one.metadata.name.unwrap(), one.metadata.uid.unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_cannot_be_changed_is_explained_and_replaced_only_by_request() {
    let Some(repository) = mini_phalanx() else { return };
    let text = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/sandbox.yaml");
    let file = std::fs::read_to_string(text).unwrap().replace("../target/phalanx", repository.to_str().unwrap());
    let program = Program::new(&[("sandbox", file.clone())]);
    if program.tools().is_none() {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(&program);
    let scene = Scene { program: &program, file };
    assert!(scene.file.contains(STANDARD));

    scene.call(STANDARD, &["--only", "cluster"]).expect(0);
    let made = scene.storage(STANDARD, &[]).expect(0).json();
    fits("install", &made);
    assert_eq!(changes(&made), ["create StorageClass standard"]);
    let status = program.call(&["sandbox", "status", "--output", "json"]).expect(0).json();
    let info: SandboxInfo = serde_json::from_value(status).unwrap();
    let other = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "somebodys"},
        "provisioner": "example.org/else", "parameters": {"type": "hdd"},
    });
    let other = serde_json::from_value(other).unwrap();
    classes(&info).await.create(&PostParams::default(), &other).await.unwrap();

    it_is_explained(&scene, &info).await;
    it_is_replaced_by_request(&scene, &info).await;
    wrong_requests_and_provisioners_are_refused(&scene, &info);
}

const OTHER: &str =
    "{class: standard, provisioner: sandbox.rsp-install.lsst.io/volumes, default: true, parameters: {type: ssd}}";

async fn it_is_explained(scene: &Scene<'_>, info: &SandboxInfo) {
    let (before, written) = (identities(info).await, writes(info));
    for flags in [&["--only", "storage"][..], &["--dry-run"]] {
        let said = scene.call(OTHER, flags).expect(6);
        for words in ["another parameters: {}, declared is", "--replace-class standard"] {
            assert!(told(&said).contains(words), "{words} is not in {}", told(&said));
        }
    }
    let planned = scene.call(OTHER, &["--dry-run", "--replace-class", "standard"]).expect(3).json();
    fits("plan", &planned);
    let alone = scene.storage(OTHER, &["--dry-run", "--replace-class", "standard"]).expect(3).json();
    assert_eq!((changes(&alone), &alone["unknown"]), (changes(&planned), &json!([])));
    assert!(planned["changes"].as_array().unwrap().len() > alone["changes"].as_array().unwrap().len());
    let planned = changes(&planned);
    let because = "delete StorageClass standard (asked for, because its parameters is {}";
    assert!(planned[0].starts_with(because), "{planned:?}");
    assert_eq!(planned[1..], ["create StorageClass standard"]);
    assert_eq!((identities(info).await, writes(info)), (before, written), "nothing was written");
}

async fn it_is_replaced_by_request(scene: &Scene<'_>, info: &SandboxInfo) {
    let before = identities(info).await;
    let done = scene.storage(OTHER, &["--replace-class", "standard"]).expect(0).json();
    fits("install", &done);
    assert_eq!(changes(&done).len(), 2, "{done:#}");
    let standard = classes(info).await.get("standard").await.unwrap();
    assert_eq!(standard.data["parameters"], json!({"type": "ssd"}));
    let after = identities(info).await;
    let same: Vec<_> = after.iter().filter(|one| before.contains(one)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(same, ["somebodys"], "the class is another one, and no other class was touched");
    let claims: Api<DynamicObject> = Api::all_with(client(info).await, &resource("v1", "PersistentVolumeClaim"));
    let claimed = audit(&info.kubernetes_audit_log);
    let proofs = claimed.iter().filter(|event| {
        event["stage"] == "ResponseComplete"
            && event["objectRef"]["name"] == "proof-of-standard"
            && event["verb"] == "delete"
    });
    assert_eq!(proofs.count(), 2, "the first class and the new one were proved");
    assert!(claims.list(&ListParams::default()).await.unwrap().items.is_empty());

    let written = writes(info);
    assert_eq!(changes(&scene.storage(OTHER, &["--replace-class", "standard"]).expect(0).json()), [""; 0]);
    assert_eq!(writes(info), written, "a class that is as declared is not replaced");
}

fn wrong_requests_and_provisioners_are_refused(scene: &Scene<'_>, info: &SandboxInfo) {
    let written = writes(info);
    let said = scene.storage(OTHER, &["--replace-class", "somebodys"]).expect(2);
    assert!(told(&said).contains("declares no storage class of that name"), "{}", told(&said));
    let in_tree = "{class: standard, provisioner: kubernetes.io/cinder, default: true}";
    let said = scene.storage(in_tree, &["--replace-class", "standard"]).expect(6);
    assert!(told(&said).contains("cinder.csi.openstack.org"), "{}", told(&said));
    let two = "{class: a, provisioner: p, default: true}\n  - {class: b, provisioner: p, default: true}";
    let said = scene.storage(two, &[]).expect(6);
    let line = scene.file.lines().position(|line| line.contains(STANDARD)).unwrap() + 2;
    assert!(said.stderr.contains(&format!("sandbox.yaml:{line}:")), "{}", said.stderr);
    assert!(said.stderr.contains("a and b are both the default storage class"), "{}", said.stderr);
    assert_eq!(writes(info), written);
}
