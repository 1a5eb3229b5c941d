//! How the program reaches Vault and logs in: certificates, namespaces, files of tokens, tokens that end on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;

use serde_json::json;
use std::process::Output;
use std::time::{Duration, Instant};
use vault_common::gateway::{Authority, Gateway};
use vault_common::place::{Place, document, history};
use vault_common::{Server, outlet};

const SYNC: [&str; 3] = ["sync", "--static", "static.yaml"];
const NO_PAUSE: Duration = Duration::ZERO;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_servers_certificate_is_that_of_the_named_authority_or_the_connection_is_refused() {
    let Some(server) = Server::start("secret").await else { return };
    let (authority, other) = (Authority::new(), Authority::new());
    let gateway = Gateway::open(&server.address, Some(authority.server(None)), NO_PAUSE);
    let place = Place::new(&server);
    let (right, wrong) = (place.write("ca.pem", &authority.certificate), place.write("other.pem", &other.certificate));

    let token = ("VAULT_TOKEN", server.root.as_str());
    let place = place.with(&gateway.address, &[token, ("VAULT_CACERT", &right)]);
    let synced = place.run("secret/tls/e", &SYNC);
    assert!(synced.status.success(), "{}", said(&synced));
    assert_eq!(history(&server, "tls/e").await.len(), 7);

    for variables in [vec![token, ("VAULT_CACERT", wrong.as_str())], vec![token]] {
        let (place, begun) = (Place::new(&server).with(&gateway.address, &variables), Instant::now());
        let refused = place.run("secret/tls/e", &SYNC);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        let expected = format!("the certificate of Vault at {}/ is not trusted", gateway.address);
        assert!(said(&refused).contains(&expected) && said(&refused).contains("VAULT_CACERT"), "{}", said(&refused));
        assert!(begun.elapsed() < Duration::from_secs(5), "asking again does not help: {:?}", begun.elapsed());
    }

    let place = place.with(&gateway.address, &[token, ("VAULT_CACERT", "/nowhere.pem")]);
    let unreadable = place.run("secret/tls/e", &SYNC);
    assert_eq!(unreadable.status.code(), Some(2), "{}", said(&unreadable));
    assert!(said(&unreadable).contains("cannot use /nowhere.pem, which VAULT_CACERT names"), "{}", said(&unreadable));
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_gets_the_named_one() {
    let Some(server) = Server::start("secret").await else { return };
    let (authority, clients) = (Authority::new(), Authority::new());
    let gateway = Gateway::open(&server.address, Some(authority.server(Some(&clients))), NO_PAUSE);
    let place = Place::new(&server);
    let ca = place.write("ca.pem", &authority.certificate);
    let (certificate, key) = clients.issue();
    let both = place.write("both.pem", &format!("{certificate}{key}"));
    let (stranger_certificate, stranger_key) = Authority::new().issue();
    let stranger = place.write("stranger.pem", &format!("{stranger_certificate}{stranger_key}"));
    let (certificate, key) = (place.write("client.pem", &certificate), place.write("client.key", &key));

    let base = [("VAULT_TOKEN", server.root.as_str()), ("VAULT_CACERT", &ca)];
    let apart = [("VAULT_CLIENT_CERT", certificate.as_str()), ("VAULT_CLIENT_KEY", &key)];
    let place = place.with(&gateway.address, &[&base[..], &apart].concat());
    let synced = place.run("secret/mtls/e", &SYNC);
    assert!(synced.status.success(), "{}", said(&synced));
    let place = place.with(&gateway.address, &[&base[..], &[("VAULT_CLIENT_CERT", &both)]].concat());
    assert_eq!(place.run("secret/mtls/e", &["audit"]).status.code(), Some(0), "certificate and key in one file");

    for client in [&[][..], &[("VAULT_CLIENT_CERT", stranger.as_str())]] {
        let place = Place::new(&server).with(&gateway.address, &[&base[..], client].concat());
        let refused = place.run("secret/mtls/e", &SYNC);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(said(&refused).contains("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"), "{}", said(&refused));
    }
}

#[tokio::test]
async fn every_request_names_the_namespace() {
    let Some(server) = Server::start("secret").await else { return };
    let gateway = Gateway::open(&server.address, None, NO_PAUSE);
    let variables = [("VAULT_TOKEN", server.root.as_str()), ("VAULT_NAMESPACE", "/site/rsp/")];
    let place = Place::new(&server).with(&gateway.address, &variables);
    let _ = place.run("secret/namespace/e", &SYNC);
    let sent = gateway.sent();
    let requests = sent.matches("x-vault-request: true").count();
    assert!(requests >= 1);
    assert_eq!(sent.matches("x-vault-namespace: site/rsp\r\n").count(), requests, "{requests} requests");
    let place = place.with(&gateway.address, &[("VAULT_TOKEN", &server.root)]);
    assert!(place.run("secret/namespace/e", &SYNC).status.success());
    assert_eq!(gateway.sent().matches("x-vault-namespace").count(), requests, "none without the variable");
}

#[tokio::test]
async fn a_token_comes_from_the_file_that_a_variable_names_or_from_the_static_file_or_the_home() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let file = place.write("token", &format!("{}\n", server.root));
    let address = server.address.clone();
    let place = place.with(&address, &[("VAULT_TOKEN_FILE", &file)]);
    assert!(place.run("secret/files/e", &SYNC).status.success());

    let place = place.with(&address, &[("VAULT_TOKEN_FILE", "/nowhere")]);
    let unreadable = place.run("secret/files/e", &["audit"]);
    assert_eq!(unreadable.status.code(), Some(2), "{}", said(&unreadable));
    assert!(said(&unreadable).contains("cannot read /nowhere, which VAULT_TOKEN_FILE names"), "{}", said(&unreadable));

    let place = place.with(&address, &[]);
    assert_eq!(place.run("secret/files/e", &["audit"]).status.code(), Some(2), "no token at all");
    place.write("with-token.yaml", &format!("vault-write-token: {}\n", server.root));
    assert_eq!(place.run("secret/files/e", &["audit", "--static", "with-token.yaml"]).status.code(), Some(0));
    place.write(".vault-token", &server.root);
    assert_eq!(place.run("secret/files/e", &["audit"]).status.code(), Some(0));
}

/// A token that lives for eight seconds.
async fn short_lived(server: &Server, renewable: bool) -> String {
    let policy = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \"list\"] }";
    server.call("PUT", "sys/policy/all", Some(json!({"policy": policy}))).await.unwrap();
    let body = json!({"policies": ["all"], "ttl": "8s", "renewable": renewable});
    let made = server.call("POST", "auth/token/create", Some(body)).await.unwrap();
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn in_a_run_that_is_longer_than_the_token_lives_the_token_is_renewed() {
    let Some(server) = Server::start("secret").await else { return };
    // A list and three writes that wait for each other: four times this pause at least.
    let gateway = Gateway::open(&server.address, None, Duration::from_secs(3));
    let token = short_lived(&server, true).await;
    let begun = Instant::now();
    let place = Place::new(&server).with(&gateway.address, &[("VAULT_TOKEN", &token)]);
    let synced = place.run("secret/long/e", &SYNC);
    assert!(synced.status.success(), "{}", said(&synced));
    assert!(begun.elapsed() > Duration::from_secs(10), "it ended before the token would have: {:?}", begun.elapsed());
    assert_eq!(history(&server, "long/e").await.len(), 7);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_told_as_long_as_it_lives() {
    let Some(server) = Server::start("secret").await else { return };
    let (outlet, told) = outlet();
    let vault = server.client_with(&short_lived(&server, false).await, &outlet);
    vault.keep_token_alive();
    let begun = Instant::now();
    while !told.0.lock().unwrap().iter().any(|event| event.contains("s and cannot be renewed")) {
        assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", told.0.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_that_ends_half_way_is_a_clear_error_and_the_next_run_finishes() {
    let Some(server) = Server::start("secret").await else { return };
    let gateway = Gateway::open(&server.address, None, Duration::from_secs(3));
    let token = short_lived(&server, false).await;
    let place = Place::new(&server).with(&gateway.address, &[("VAULT_TOKEN", &token)]);
    let stopped = place.run("secret/ended/e", &SYNC);
    assert_eq!(stopped.status.code(), Some(7), "{}", said(&stopped));
    let told = document(&stopped)["error"].to_string();
    assert!(told.contains("Vault does not know our token any more (at POST secret/data/ended/e/a)"), "{told}");
    assert!(told.contains("give a new token in VAULT_TOKEN; what was written is kept"), "{told}");
    let written = document(&stopped)["created"].clone();
    assert_eq!(written, json!([{"application": "b", "key": "made"}, {"application": "b", "key": "token"}]));

    let place = place.with(&server.address, &[("VAULT_TOKEN", &server.root)]);
    assert!(place.run("secret/ended/e", &SYNC).status.success());
    let history = history(&server, "ended/e").await;
    assert_eq!(history.len(), 7);
    assert!(history.values().all(|values| values.len() == 1), "{history:?}");
}
