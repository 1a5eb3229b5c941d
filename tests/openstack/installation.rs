//! The whole main job on a cluster that Magnum made.
//!
//! The cluster's API server is a sandbox's, come back with the cluster's CA: so there are controllers, Vault and Argo CD.

use crate::cloud::{TestCloud, turn};
use crate::program::{Program, Said, mini_phalanx, said};
use crate::sandbox_common::{kubernetes_writes, vault_writes};
use rsp_install::sandbox::SandboxInfo;
use serde_json::Value;
use std::path::Path;

const NAME: &str = "whole";

/// An environment on Magnum whose Vault is that of a sandbox, with all that a person would have prepared.
struct Place {
    cloud: &'static TestCloud,
    program: Program,
    info: SandboxInfo,
}

impl Place {
    fn new(cloud: &'static TestCloud, repository: &Path) -> Option<Self> {
        let program = Program::new(&[]);
        program.tools()?;
        let up = program.call(&["sandbox", "up", "--env", NAME, "--state", "state", "--output", "json"]).expect(0);
        let place = Self { cloud, info: serde_json::from_value(up.json()).unwrap(), program };
        place.program.write(&format!("environments/{NAME}.yaml"), &place.environment(repository));
        place.program.write("static.yaml", &place.static_secrets());
        Some(place)
    }

    fn environment(&self, repository: &Path) -> String {
        let (state, vault) = (self.program.path().join("state"), &self.info.vault_address);
        let provisioner = "sandbox.rsp-install.lsst.io/volumes";
        format!(
            "name: {NAME}
policy: {{deployment: science, level: dev}}
cluster:
  magnum:
    {{name: {NAME}, template: rsp-template, keypair: demo-key, nodes: 2, mergeLabels: true, openPorts: [443],
     kubeconfig: ../kube/config, labels: {{local_sandbox: {}, local_delay: \"30\"}}}}
storage:
  - {{class: standard, provisioner: {provisioner}, default: true}}
  - {{class: kept, provisioner: {provisioner}}}
phalanx: {{repository: {}, branch: main, environment: sandbox}}
vault: {{address: \"{vault}\"}}
",
            state.display(),
            repository.display()
        )
    }

    fn call(&self, arguments: &[&str]) -> Said {
        let mut command = self.program.command(arguments);
        command.envs(&self.cloud.process("appcred").variables).env("VAULT_TOKEN_FILE", &self.info.vault_token_file);
        said(&command.output().unwrap())
    }

    /// The template, filled in.
    fn static_secrets(&self) -> String {
        let template = self.call(&["secrets", "template", "--env", NAME]).expect(0).stdout;
        let mut file: Value = serde_yaml::from_str(&template).unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["sandbox.example.org".to_owned()]).unwrap();
        let mut number = 0;
        for (_, secrets) in file["applications"].as_object_mut().unwrap() {
            for (key, secret) in secrets.as_object_mut().unwrap() {
                number += 1;
                secret["value"] = match key.as_str() {
                    "tls.crt" => pair.cert.pem().into(),
                    "tls.key" => pair.signing_key.serialize_pem().into(),
                    _ => format!("static-secret-{number}").into(),
                };
            }
        }
        let registry = serde_json::json!({"username": "nobody", "password": "of-no-registry"});
        file["pull-secret"]["registries"]["registry.invalid"] = registry;
        serde_yaml::to_string(&file).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let said = self.program.call(&["sandbox", "down", "--env", NAME, "--state", "state"]);
        if said.code != Some(0) {
            eprintln!("{}", said.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_runs_from_no_cluster_to_a_healthy_environment_and_back_to_no_cluster() {
    let Some((cloud, _turn)) = turn().await else { return };
    let Some(repository) = mini_phalanx() else { return };
    let Some(place) = Place::new(cloud, &repository) else { return };
    let install = ["--env", NAME, "--static", "static.yaml", "--output", "json"];

    // Nobody is asked: what we made ourselves is ours from the start.
    let document = place.call(&install).expect(0).json();
    assert_eq!(document["result"], "converged");
    let steps: Vec<&str> =
        document["steps"].as_array().unwrap().iter().filter_map(|step| step["name"].as_str()).collect();
    assert!(steps.starts_with(&["cluster", "storage", "secrets"]), "{steps:?}");
    assert!(document["requests"]["openstack"]["writes"].as_u64().unwrap() >= 2, "the cluster and its port");

    let writes = || (cloud.writes(), kubernetes_writes(&place.info), vault_writes(&place.info));
    let before = writes();
    let again = place.call(&install).expect(0).json();
    assert_eq!(writes(), before, "the servers' own logs");
    assert_eq!(again["changes"], Value::Array(Vec::new()));
    for system in ["kubernetes", "vault", "openstack"] {
        assert_eq!(again["requests"][system]["writes"], 0, "{again:#}");
    }
    eprintln!("MEASURED: no-op run on Magnum {} s, requests {}", again["elapsedSeconds"], again["requests"]);
    let status = place.call(&["status", "--env", NAME, "--output", "json"]).expect(0).json();
    let applications = status["applications"].as_array().unwrap();
    assert!(applications.len() > 10, "{applications:?}");
    assert!(applications.iter().all(|one| one["health"] == "Healthy" && one["sync"] == "Synced"), "{applications:?}");

    let retired = place.call(&["retire", "--env", NAME, "--yes", "--output", "json"]).expect(0).json();
    assert_eq!(retired["result"], "converged", "{retired:#}");
    assert!(!place.program.path().join("kube/config").exists());
    let again = place.call(&["retire", "--env", NAME, "--yes", "--output", "json"]).expect(0).json();
    assert_eq!(again["requests"]["openstack"]["writes"], 0, "{again:#}");
}
