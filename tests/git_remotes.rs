//! Remote repositories, served over HTTP by Git's own server program on the loopback interface.
#![allow(clippy::unwrap_used, clippy::format_collect, reason = "a failing helper is a failing test")]

mod git_common;

use git_common::{Fixture, git_here};
use rsp_install::client::git::{Git, GitError};
use rsp_install::engine::Events;
use rsp_install::error::{Explain as _, Kind};
use rsp_install::phalanx::tree::Tree as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Git's `http-backend` behind a socket; counts requests and the bytes it sent.
struct Server {
    port: u16,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Server {
    fn start(root: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&requests), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                counts.0.fetch_add(1, Ordering::SeqCst);
                counts.1.fetch_add(answer(stream, &root), Ordering::SeqCst);
            }
        });
        Self { port, requests, sent }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

/// Answers one request; how many bytes of body it sent.
fn answer(mut stream: TcpStream, root: &Path) -> usize {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut parts = first.split_whitespace();
    let (method, target) = (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned());
    let mut headers = std::collections::HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    if target.starts_with("/private") {
        let text = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(text.as_bytes()).unwrap();
        return 0;
    }
    let body = read_body(&mut reader, &headers);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", headers.get("content-type").cloned().unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_PROTOCOL", headers.get("git-protocol").cloned().unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", headers.get("content-encoding").cloned().unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let content = &output[end + 4..];
    let head: String =
        head.lines().filter(|line| !line.starts_with("Status:")).map(|line| format!("{line}\r\n")).collect();
    let length = content.len();
    stream
        .write_all(
            format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .unwrap();
    stream.write_all(content).unwrap();
    length
}

fn read_body(reader: &mut BufReader<TcpStream>, headers: &std::collections::HashMap<String, String>) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body).unwrap();
    } else if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).unwrap();
            if length == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }
    body
}

#[test]
fn a_remote_repository_is_cloned_once_and_then_fetched_incrementally() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    // Random enough not to compress: the second fetch must be seen to carry only what is new.
    let large: String = (0..200_000u64).map(|i| format!("{:x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let first = fixture.commit(&[("large", &large), ("applications/a/Chart.yaml", "name: a\n")]);
    fixture.git(&["branch", "old"]);
    let server = Server::start(fixture.path().parent().unwrap().to_owned());
    let url = server.url("repository");
    let git = Git::new(&fixture.process(), Events::default());

    let tree = git.checkout(&url, "main").unwrap();
    assert_eq!(tree.commit().to_string(), first);
    assert_eq!(tree.read("applications/a/Chart.yaml").unwrap().unwrap(), b"name: a\n");
    assert!(git.checkout(&url, "old").is_ok());

    let second = fixture.commit(&[("applications/a/Chart.yaml", "name: b\n")]);
    fixture.git(&["branch", "-D", "old"]);
    fixture.git(&["update-ref", "refs/pull/14/head", &first]);
    let before = server.sent.load(Ordering::SeqCst);
    let tree = git.checkout(&url, "main").unwrap();
    assert_eq!(tree.commit().to_string(), second);
    let sent = server.sent.load(Ordering::SeqCst) - before;
    assert!(sent < 20_000, "{sent} bytes for one small commit: not incremental");

    let gone = git.checkout(&url, "old").map(|_| ()).unwrap_err();
    assert!(matches!(gone, GitError::UnknownReference { .. }), "a deleted branch must be gone here too: {gone}");
    assert_eq!(git.checkout(&url, "refs/pull/14/head").unwrap().commit().to_string(), first);

    let before = server.requests.load(Ordering::SeqCst);
    assert_eq!(git.checkout(&url, &first).unwrap().commit().to_string(), first);
    assert_eq!(server.requests.load(Ordering::SeqCst), before, "a full commit id that is here needs no server");
}

#[test]
fn a_rewritten_branch_is_followed() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.commit(&[("a", "1\n")]);
    fixture.commit(&[("a", "2\n")]);
    let server = Server::start(fixture.path().parent().unwrap().to_owned());
    let git = Git::new(&fixture.process(), Events::default());
    git.checkout(&server.url("repository"), "main").unwrap();
    fixture.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let other = fixture.commit(&[("a", "3\n")]);
    assert_eq!(git.checkout(&server.url("repository"), "main").unwrap().commit().to_string(), other);
}

#[test]
fn a_repository_that_does_not_exist_is_invalid_and_a_server_that_does_not_answer_unreachable() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.commit(&[("a", "1\n")]);
    let server = Server::start(fixture.path().parent().unwrap().to_owned());
    let git = Git::new(&fixture.process(), Events::default());
    for path in ["nowhere", "private/fork"] {
        let error = git.open(&server.url(path)).map(|_| ()).unwrap_err();
        assert!(matches!(error, GitError::NoSuchRemote { .. }), "{path}: {error:?}");
        assert_eq!(error.kind(), Kind::Invalid);
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = git.open(&format!("http://127.0.0.1:{free}/x")).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error:?}");
}
