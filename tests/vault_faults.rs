//! Faults that a healthy Vault does not show: a server that answers what it is told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;

use rsp_install::client::vault::{KvData, Login, Vault, VaultError};
use rsp_install::secret_value::SecretValue;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A server that gives these answers (status, more headers, body), one a connection, and then ends.
fn server(answers: Vec<(u16, &'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (status, headers, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    address
}

fn vault(address: &str, outlet: &rsp_install::engine::Outlet) -> Vault {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Vault::connect(Login::with_token(address, SecretValue::new("canary-token")).unwrap(), outlet.clone()).unwrap()
}

const LISTED: &str = r#"{"data": {"keys": ["a"]}}"#;
const WRITTEN: &str = r#"{"data": {"version": 3, "created_time": "2026-01-01T00:00:00Z"}}"#;

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_and_each_try_is_told() {
    let (outlet, told) = vault_common::outlet();
    let address = server(vec![
        (429, "Retry-After: 1\r\n", r#"{"errors": ["rate limit"]}"#),
        (412, "", r#"{"errors": ["required index state not present"]}"#),
        (503, "", r#"{"errors": ["standby"]}"#),
        (200, "", LISTED),
    ]);
    let begun = Instant::now();
    assert_eq!(vault(&address, &outlet).list("secret", "x").await.unwrap(), ["a"]);
    assert!(begun.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    let told = told.0.lock().unwrap();
    assert_eq!(told.iter().filter(|event| event.contains("\"event\":\"retry\"")).count(), 3, "{told:?}");
    assert!(!told.iter().any(|event| event.contains("canary")));
}

#[tokio::test]
async fn what_asking_again_does_not_mend_is_told_at_once() {
    let (outlet, told) = vault_common::outlet();
    for (status, body, expected) in [
        (500, r#"{"errors": ["disk full"]}"#, "status 500: disk full"),
        (503, r#"{"errors": ["Vault is sealed"]}"#, "is sealed"),
        (400, r#"{"errors": []}"#, "status 400: it gives no reason"),
        (200, r#"{"data": {"keys": "canary"}}"#, "cannot be understood"),
    ] {
        let error =
            vault(&server(vec![(status, "", body)]), &outlet).list("secret", "x").await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("canary"), "{error}");
    }
    assert!(!told.0.lock().unwrap().iter().any(|event| event.contains("retry")));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_shows_as_a_conflict_and_not_as_success() {
    let (outlet, _) = vault_common::outlet();
    let conflict = r#"{"errors": ["check-and-set parameter did not match the current version"]}"#;
    let mut data = KvData::default();
    data.set("k", SecretValue::new("canary"));
    // The gateway lost the first answer; the server had written, so that the second try meets another version.
    let address = server(vec![(502, "", ""), (400, "", conflict)]);
    let error = vault(&address, &outlet).write("secret", "x/a", &data, 2).await.err().unwrap();
    assert!(matches!(error, VaultError::Conflict { .. }), "{error}");
    let address = server(vec![(502, "", ""), (200, "", WRITTEN)]);
    assert_eq!(vault(&address, &outlet).write("secret", "x/a", &data, 2).await.unwrap().version, 3);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    let (outlet, _) = vault_common::outlet();
    let address = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let error = vault(&address, &outlet).list("secret", "x").await.unwrap_err();
    assert!(matches!(&error, VaultError::Unreachable { .. }) && error.to_string().contains(&address), "{error}");
}
