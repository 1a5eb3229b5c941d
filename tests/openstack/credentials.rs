//! The way into a cluster: renewed when its CA or its certificate ends, and with certificates beside the kubeconfig.

use crate::cloud::{TestCloud, run, turn};
use crate::clusters::{Scene, actions};
use crate::hands::connected;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use rsp_install::client::kubernetes;
use rsp_install::client::openstack::{Call, Service};
use rsp_install::engine::Action;
use rsp_install::environment::Loaded;
use rsp_install::install::{Options, Site};
use rsp_install::process::Process;
use serde_json::json;
use serde_yaml::Value;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A kubeconfig and what stands in it.
struct Kubeconfig(Value);

impl Kubeconfig {
    fn read(scene: &Scene) -> Self {
        Self(serde_yaml::from_str(&std::fs::read_to_string(scene.folder().join("kube/config")).unwrap()).unwrap())
    }

    /// PEM text that is kept inside.
    fn pem(&self, list: &str, object: &str, key: &str) -> String {
        String::from_utf8(STANDARD.decode(self.0[list][0][object][key].as_str().unwrap()).unwrap()).unwrap()
    }

    fn ca(&self) -> String {
        self.pem("clusters", "cluster", "certificate-authority-data")
    }

    fn server(&self) -> &str {
        self.0["clusters"][0]["cluster"]["server"].as_str().unwrap()
    }

    fn text(&self) -> String {
        serde_yaml::to_string(&self.0).unwrap()
    }
}

/// Whether the API server accepts this kubeconfig, sooner or later: it looks at its files again within a minute.
async fn leads_in(text: &str) -> bool {
    let begun = Instant::now();
    let (run, _) = run();
    while begun.elapsed() < Duration::from_secs(90) {
        let (cluster, _) = kubernetes::Access::Text(text.to_owned()).connect(&run.outlet).await.unwrap();
        if cluster.list("v1", "Namespace", None).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

/// Asks Magnum for a new CA of the cluster and waits until it has been at work.
async fn rotate(cloud: &TestCloud, scene: &Scene) {
    let user = connected(cloud, "appcred").await;
    let uuid = scene.clusters().await[0].uuid.clone();
    let call = Call::patch(Service::ContainerInfra, &["certificates", &uuid], json!({}));
    user.write(&call, Action::Update, "the cluster's CA").await.unwrap();
    while user.cluster(&uuid).await.unwrap().unwrap().status.0 != "UPDATE_COMPLETE" {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_clusters_ca_is_rotated_the_kubeconfig_is_made_anew() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "rotated", "kubeconfig: kube/config");
    scene.converged().await;
    let before = Kubeconfig::read(&scene);
    assert!(leads_in(&before.text()).await);

    rotate(cloud, &scene).await;
    let outcome = scene.converged().await;
    assert_eq!(actions(&outcome), ["update"], "{outcome:?}");
    assert!(outcome.changes[0].object.ends_with("the cluster's CA has changed"), "{outcome:?}");
    let after = Kubeconfig::read(&scene);
    assert_ne!(before.ca(), after.ca());
    assert!(leads_in(&after.text()).await, "the new one leads to the same cluster");
    assert_eq!(actions(&scene.converged().await), [""; 0]);
    scene.clear().await;
}

/// The same kubeconfig with a certificate that the cluster's CA signed for ten days.
fn for_ten_days(cloud: &TestCloud, uuid: &str, kept: &Kubeconfig, scratch: &Path) -> String {
    let key = KeyPair::from_pem(&kept.pem("users", "user", "client-key-data")).unwrap();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::OrganizationName, "system:masters");
    parameters.distinguished_name.push(DnType::CommonName, "admin");
    let file = |name: &str| scratch.join(name);
    std::fs::write(file("csr"), parameters.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
    // Without an extension it would be a certificate of version 1, which nobody takes.
    std::fs::write(file("extensions"), "extendedKeyUsage = clientAuth\n").unwrap();
    let ca = cloud.state.join("clusters").join(uuid);
    let mut sign = Command::new("openssl");
    sign.args(["x509", "-req", "-days", "10", "-set_serial", "4711", "-in"]).arg(file("csr"));
    sign.arg("-CA").arg(ca.join("ca.crt")).arg("-CAkey").arg(ca.join("ca.key")).arg("-out").arg(file("crt"));
    sign.arg("-extfile").arg(file("extensions"));
    assert!(sign.output().unwrap().status.success());
    let mut short = kept.0.clone();
    let encoded = STANDARD.encode(std::fs::read(file("crt")).unwrap());
    short["users"][0]["user"]["client-certificate-data"] = encoded.into();
    Kubeconfig(short).text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_renewed_and_none_before() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "ending", "openPorts: [443], kubeconfig: kube/config");
    scene.converged().await;
    let (file, scratch) = (scene.folder().join("kube/config"), tempfile::tempdir().unwrap());
    let uuid = scene.clusters().await[0].uuid.clone();
    let short = for_ten_days(cloud, &uuid, &Kubeconfig::read(&scene), scratch.path());
    std::fs::write(&file, &short).unwrap();
    assert_eq!(actions(&scene.converged().await), [""; 0], "ten days of ten are enough");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), short);

    let in_nine_days = || jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9 * 24);
    let later = Process { now: in_nine_days, ..cloud.process("appcred") };
    let outcome = scene.converge_as(&later).await.0;
    assert_eq!(outcome.failure, None);
    assert_eq!(actions(&outcome), ["update"], "{outcome:?}");
    assert!(outcome.changes[0].object.contains("its certificate is valid for"), "{outcome:?}");
    assert!(leads_in(&Kubeconfig::read(&scene).text()).await);
    assert_eq!(actions(&scene.converge_as(&later).await.0), [""; 0], "the new one lives longer");
    scene.clear().await;
}

/// Connects as `cluster: existing` says, as far as to our mark.
async fn contact(folder: &Path, home: &Path, existing: &str) {
    let text = format!("{{name: seed, cluster: {{existing: {existing}}}}}");
    let environment = serde_saphyr::from_str(&text).unwrap();
    let loaded = Loaded { environment, file: "seed.yaml".into(), folder: folder.to_owned(), built_in: false };
    let process = Process {
        variables: [("HOME".to_owned(), home.to_str().unwrap().to_owned())].into(),
        directory: std::env::temp_dir(),
        now: jiff::Timestamp::now,
        interactive: false,
    };
    let contact = async { Site::open(loaded, process, run().0, Options::default()).await?.contact().await };
    let contact = contact.await.unwrap_or_else(|failure| panic!("{existing}: {failure}")).unwrap();
    assert!(contact.cluster.version().await.is_ok(), "{existing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_with_its_certificates_beside_it_leads_to_an_existing_cluster() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "mounted", "kubeconfig: kube/config");
    scene.converged().await;
    let kept = Kubeconfig::read(&scene);
    // As the seed's container had them: a folder of certificates, and a kubeconfig that names the files.
    let place = tempfile::tempdir().unwrap();
    for folder in ["kubernetes/certs", "environments/kube", ".kube"] {
        std::fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    let certs = place.path().join("kubernetes/certs");
    std::fs::write(certs.join("ca.pem"), kept.ca()).unwrap();
    for (name, key) in [("cert.pem", "client-certificate-data"), ("key.pem", "client-key-data")] {
        std::fs::write(certs.join(name), kept.pem("users", "user", key)).unwrap();
    }
    let naming = |folder: &str| {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stv",
            "clusters": [{"name": "stv", "cluster": {"server": kept.server(),
                                                     "certificate-authority": format!("{folder}/ca.pem")}}],
            "users": [{"name": "admin", "user": {"client-certificate": format!("{folder}/cert.pem"),
                                                 "client-key": format!("{folder}/key.pem")}}],
            "contexts": [{"name": "stv", "context": {"cluster": "stv", "user": "admin"}}],
        });
        serde_yaml::to_string(&config).unwrap()
    };
    let (_, block) = x509_parser::pem::parse_x509_pem(kept.ca().as_bytes()).unwrap();
    let sha = hex::encode_upper(Sha256::digest(&block.contents));
    let who = format!("context: stv, server: '{}', caSha256: {sha}", kept.server());
    let environments = place.path().join("environments");

    // Relative to the kubeconfig, which is relative to the environment file; then absolute; then the usual file.
    std::fs::write(environments.join("kube/config"), naming("../../kubernetes/certs")).unwrap();
    contact(&environments, Path::new("/nowhere"), &format!("{{kubeconfig: kube/config, {who}}}")).await;
    std::fs::write(environments.join("kube/config"), naming(certs.to_str().unwrap())).unwrap();
    contact(&environments, Path::new("/nowhere"), &format!("{{kubeconfig: kube/config, {who}}}")).await;
    std::fs::write(place.path().join(".kube/config"), naming(certs.to_str().unwrap())).unwrap();
    contact(&environments, place.path(), &format!("{{{who}}}")).await;
    scene.clear().await;
}
