//! Every way to log in, on the real Keystone, and what is said when it does not let us in.

use crate::cloud::turn;
use crate::hands::{auth, connected, login, make, remove, revoke, token};
use crate::tls::{Authority, Front};
use rsp_install::client::openstack::{Call, Openstack, OpenstackError, Service};
use rsp_install::engine::Action;
use rsp_install::error::{Explain as _, Kind};
use rsp_install::process::Process;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process in this folder with these variables.
fn process(folder: &Path, variables: &[(&str, &str)]) -> Process {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let home = ("HOME".to_owned(), folder.to_str().unwrap().to_owned());
    let variables = variables.iter().map(text).chain([home]).collect();
    Process { variables, directory: folder.to_owned(), now: jiff::Timestamp::now, interactive: false }
}

async fn leads_to_the_project(what: &str, process: &Process) {
    let cloud = login(process).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(cloud.scope().await.unwrap().project, "demo", "{what}");
    assert!(!cloud.cluster_templates().await.unwrap().is_empty(), "{what}");
}

/// Who may not log in, or gets no further.
async fn refused(process: &Process) -> OpenstackError {
    let tried = async { login(process).await?.clusters().await };
    tried.await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_login_leads_to_the_project() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let keystone = cloud.keystone();
    let entry = format!("{{auth: {{auth_url: '{keystone}', username: demo, project_name: demo}}}}");
    file("clouds.yaml", &format!("clouds: {{somerville: {entry}}}"));
    file("secure.yaml", "clouds: {somerville: {auth: {password: secret}}}");
    leads_to_the_project("clouds.yaml and secure.yaml", &process(folder.path(), &[("OS_CLOUD", "somerville")])).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let with = |more: &[(&str, &str)]| {
        let url = [("OS_AUTH_URL", keystone.as_str()), ("OS_REGION_NAME", "RegionOne")];
        process(elsewhere.path(), &[&url[..], more].concat())
    };
    let user = [("OS_USERNAME", "demo"), ("OS_USER_DOMAIN_NAME", "Default"), ("OS_PROJECT_NAME", "demo")];
    leads_to_the_project("a password", &with(&[&user[..], &[("OS_PASSWORD", "secret")]].concat())).await;
    let password = file("password", "secret\n");
    leads_to_the_project("a password's file", &with(&[&user[..], &[("OS_PASSWORD_FILE", &password)]].concat())).await;

    let id = auth(cloud, "appcred", "application_credential_id");
    let application =
        [("OS_APPLICATION_CREDENTIAL_ID", id.as_str()), ("OS_APPLICATION_CREDENTIAL_SECRET", "app-secret")];
    leads_to_the_project("an application credential", &with(&application)).await;
    let secret = file("app-secret", "app-secret\n");
    let by_name = [
        ("OS_AUTH_TYPE", "v3applicationcredential"),
        ("OS_USERNAME", "demo"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_APPLICATION_CREDENTIAL_NAME", "installer"),
        ("OS_APPLICATION_CREDENTIAL_SECRET_FILE", &secret),
    ];
    leads_to_the_project("an application credential's name and file", &with(&by_name)).await;

    let token = token(cloud, "demo").await;
    let issued = [("OS_AUTH_TYPE", "v3token"), ("OS_TOKEN", token.as_str()), ("OS_PROJECT_NAME", "demo")];
    leads_to_the_project("a token", &with(&issued)).await;
    let kept = file("token", &token);
    leads_to_the_project("a token's file", &with(&[("OS_TOKEN_FILE", &kept), ("OS_PROJECT_NAME", "demo")])).await;

    let error = refused(&with(&[("OS_PASSWORD_FILE", "/nowhere/at/all")])).await;
    assert!(error.to_string().contains("OS_PASSWORD_FILE"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_is_told_with_its_remedy() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = token(cloud, "demo").await;
    let keystone = cloud.keystone();
    let variables = [("OS_AUTH_URL", keystone.as_str()), ("OS_TOKEN", token.as_str()), ("OS_PROJECT_NAME", "demo")];
    let session = login(&process(folder.path(), &variables)).await.unwrap();
    revoke(cloud, &token).await;
    for error in [refused(&process(folder.path(), &variables)).await, session.clusters().await.unwrap_err()] {
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        assert!(error.help().join(" ").contains("openstack token issue"), "{error}: {:?}", error.help());
        assert!(!error.to_string().contains(&token));
    }
}

/// An application credential of the user `demo` that ends in this many seconds: its id.
async fn short_lived(demo: &Openstack, seconds: i64) -> String {
    let user = demo.scope().await.unwrap().user_id;
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let what = json!({
        "name": format!("short-{}", ends.as_nanosecond()), "secret": "app-secret", "unrestricted": true,
        "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
    });
    let path = ["users", &user, "application_credentials"];
    make(demo, Service::Identity, &path, "application_credential", what).await["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_credential_that_ends_is_told_before_and_in_the_middle_of_a_run() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let id = short_lived(&connected(cloud, "demo").await, 6).await;
    let keystone = cloud.keystone();
    let variables = [
        ("OS_AUTH_URL", keystone.as_str()),
        ("OS_APPLICATION_CREDENTIAL_ID", &id),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "app-secret"),
    ];
    let session = login(&process(folder.path(), &variables)).await.unwrap();
    session.clusters().await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    for error in [session.clusters().await.unwrap_err(), refused(&process(folder.path(), &variables)).await] {
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        assert!(error.to_string().contains("Keystone refused the credential"), "{error}");
        assert!(error.help().join(" ").contains("may have expired"), "{:?}", error.help());
        assert!(!error.to_string().contains("app-secret"));
    }
}

/// The entry `demo` with Keystone behind TLS.
fn behind_tls(folder: &Path, port: u16, more: &str) -> Process {
    let entry = format!(
        "{{auth: {{auth_url: 'https://127.0.0.1:{port}/v3', username: demo, password: secret, project_name: demo}}, {more}}}"
    );
    std::fs::write(folder.join("clouds.yaml"), format!("clouds: {{demo: {entry}}}")).unwrap();
    process(folder, &[("OS_CLOUD", "demo")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_only_with_its_own_ca_and_for_its_own_host() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    let front = Front::new(folder.path(), &ours, "127.0.0.1", cloud.port);
    let stranger = Front::new(folder.path(), &ours, "keystone.example.org", cloud.port);
    let with = |port: u16, more: &str| behind_tls(folder.path(), port, more);

    leads_to_the_project("cacert", &with(front.port, "cacert: ours.pem")).await;
    let mut variable = with(front.port, "");
    variable.variables.insert("OS_CACERT".into(), ours.bundle.to_str().unwrap().into());
    leads_to_the_project("OS_CACERT", &variable).await;

    let unknown = "signed by a CA that is not trusted here";
    for (port, more, words, remedy) in [
        (front.port, "", unknown, "OS_CACERT"),
        (front.port, "cacert: other.pem", unknown, other.bundle.to_str().unwrap()),
        (stranger.port, "cacert: ours.pem", "keystone.example.org", "ours.pem"),
    ] {
        let begun = Instant::now();
        let error = refused(&with(port, more)).await;
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.help().join(" ").contains(remedy), "{:?}", error.help());
        assert!(begun.elapsed() < Duration::from_secs(5), "a certificate does not become better by waiting");
    }
    assert!(refused(&with(front.port, "cacert: none.pem")).await.to_string().contains("none.pem"));
    assert!(front.end() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn region_and_interface_are_the_chosen_ones_and_a_wrong_one_lists_the_catalogue() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    // A second region that has Magnum only, only inside, and only with TLS.
    let ours = Authority::new(folder.path(), "ours");
    let front = Front::new(folder.path(), &ours, "127.0.0.1", cloud.port + 4);
    let admin = connected(cloud, "admin").await;
    let call = Call::get(Service::Identity, &["services"]).query("type", "container-infra");
    let service = admin.read(&call).await.unwrap().body["services"][0]["id"].clone();
    make(&admin, Service::Identity, &["regions"], "region", json!({ "id": "Hidden" })).await;
    let endpoint = json!({
        "service_id": service, "interface": "internal", "region_id": "Hidden",
        "url": format!("https://127.0.0.1:{}/v1", front.port),
    });
    let endpoint = make(&admin, Service::Identity, &["endpoints"], "endpoint", endpoint).await;

    let keystone = cloud.keystone();
    let ca = ours.bundle.to_str().unwrap();
    let with = |region: &str, interface: &str| {
        let variables = [
            ("OS_AUTH_URL", keystone.as_str()),
            ("OS_USERNAME", "demo"),
            ("OS_PASSWORD", "secret"),
            ("OS_PROJECT_NAME", "demo"),
            ("OS_CACERT", ca),
            ("OS_REGION_NAME", region),
            ("OS_INTERFACE", interface),
        ];
        process(folder.path(), &variables)
    };
    login(&with("Hidden", "internal")).await.unwrap().clusters().await.unwrap();
    login(&with("RegionOne", "internalURL")).await.unwrap().clusters().await.unwrap();
    for (region, interface) in [("Hidden", "public"), ("Nowhere", "public"), ("RegionOne", "secret")] {
        let error = refused(&with(region, interface)).await;
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        assert!(error.to_string().contains(&format!("region {region} with interface {interface}")), "{error}");
        let there = "region Hidden (internal), region RegionOne (admin, internal, public)";
        assert!(error.help().join(" ").contains(there), "{:?}", error.help());
    }
    remove(&admin, Service::Identity, &["endpoints", endpoint["id"].as_str().unwrap()]).await;
    remove(&admin, Service::Identity, &["regions", "Hidden"]).await;
    assert_eq!(front.end(), 1, "the requests of the hidden region, and no others, went through TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_names_no_project_says_so() {
    let Some((cloud, _turn)) = turn().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let admin = connected(cloud, "admin").await;
    let user = json!({ "name": "homeless", "password": "canary-password", "domain_id": "default" });
    let user = make(&admin, Service::Identity, &["users"], "user", user).await;
    let keystone = cloud.keystone();
    let variables =
        [("OS_AUTH_URL", keystone.as_str()), ("OS_USERNAME", "homeless"), ("OS_PASSWORD", "canary-password")];
    let error = refused(&process(folder.path(), &variables)).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("project_name"), "{error}");
    let error = refused(&process(folder.path(), &[&variables[..], &[("OS_PROJECT_NAME", "demo")]].concat())).await;
    assert_eq!(error.kind(), Kind::Unreachable, "it has no role there: {error}");
    assert!(!error.to_string().contains("canary"));
    let user = user["id"].as_str().unwrap();
    let call = Call::delete(Service::Identity, &["users", user]);
    admin.write(&call, Action::Delete, "user").await.unwrap();
}
