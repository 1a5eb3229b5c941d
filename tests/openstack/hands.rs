//! What the tests do to the cloud beside the program: as its administrator, as its user, and with bare hands.

use crate::cloud::{TestCloud, run};
use rsp_install::client::openstack::{Call, Openstack, OpenstackError, Service};
use rsp_install::engine::Action;
use rsp_install::process::Process;
use serde_json::{Value, json};

/// Logs in as this process.
pub(crate) async fn login(process: &Process) -> Result<Openstack, OpenstackError> {
    let (run, _) = run();
    Openstack::connect(process, None, &run.outlet, run.deadline).await
}

/// Logs in with an entry of the tests' own clouds.yaml.
pub(crate) async fn connected(cloud: &TestCloud, entry: &str) -> Openstack {
    login(&cloud.process(entry)).await.unwrap()
}

/// Makes something; the service's description of it.
pub(crate) async fn make(cloud: &Openstack, service: Service, path: &[&str], key: &str, what: Value) -> Value {
    let call = Call::post(service, path, json!({ key: what }));
    cloud.write(&call, Action::Create, key).await.unwrap().body[key].clone()
}

/// Takes something away.
pub(crate) async fn remove(cloud: &Openstack, service: Service, path: &[&str]) {
    cloud.write(&Call::delete(service, path).accept(404), Action::Delete, path[0]).await.unwrap();
}

/// What an entry of clouds.yaml says under `auth`.
pub(crate) fn auth(cloud: &TestCloud, entry: &str, key: &str) -> String {
    let text = std::fs::read_to_string(cloud.state.join("clouds.yaml")).unwrap();
    let clouds: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    clouds["clouds"][entry]["auth"][key].as_str().unwrap().to_owned()
}

/// A token of a user for the project of the same name, as `openstack token issue` would get it.
pub(crate) async fn token(cloud: &TestCloud, name: &str) -> String {
    let user = json!({ "name": name, "domain": { "name": "Default" }, "password": "secret" });
    let project = json!({ "name": name, "domain": { "name": "Default" } });
    let identity = json!({ "methods": ["password"], "password": { "user": user } });
    let body = json!({ "auth": { "identity": identity, "scope": { "project": project } } });
    let request = http().post(format!("{}/auth/tokens", cloud.keystone())).json(&body);
    let answer = request.send().await.unwrap();
    answer.headers()["x-subject-token"].to_str().unwrap().to_owned()
}

/// Ends a token, as its owner may.
pub(crate) async fn revoke(cloud: &TestCloud, token: &str) {
    let request = http().delete(format!("{}/auth/tokens", cloud.keystone()));
    let answer = request.header("x-auth-token", token).header("x-subject-token", token).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Sets the project's quota of security group rules, even below their number; Neutron's own one when not given.
pub(crate) async fn limit_rules(cloud: &TestCloud, project: &str, limit: Option<i64>) {
    let url = format!("http://127.0.0.1:{}/v2.0/quotas/{project}", cloud.port + 3);
    let request = match limit {
        Some(limit) => http().put(url).json(&json!({ "quota": { "security_group_rule": limit, "force": true } })),
        None => http().delete(url),
    };
    let answer = request.header("x-auth-token", token(cloud, "admin").await).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
