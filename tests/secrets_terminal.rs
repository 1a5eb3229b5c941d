//! Missing static secrets on a terminal: asked for, and never shown.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod vault_common;

use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vault_common::Server;
use vault_common::place::Place;

/// A program on a terminal, and what the terminal has shown so far.
struct Session {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    fn start(place: &Place, prefix: &str, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        let end = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = place.command(prefix, arguments);
        let child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(terminal.slave);
        let keyboard = File::from(terminal.master);
        let (mut reader, screen) = (keyboard.try_clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { child, keyboard, screen }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.shown().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{text} never shows: {}", self.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// The exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        // The terminal still holds the last words.
        std::thread::sleep(Duration::from_millis(200));
        (code, self.shown())
    }
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_what_is_typed_never_shows() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    let mut session = Session::start(&place, "secret/asked/e", &["sync"]);
    session.wait_for("a/given:");
    session.types("canary-typed\r");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    // Eight stars stand for every answer: not even its length shows.
    assert!(!shown.contains("canary") && !shown.contains(&"*".repeat(9)), "{shown}");
    let held = server.call("GET", "secret/data/asked/e/a", None).await.unwrap();
    assert_eq!(held["data"]["data"]["given"], "canary-typed");
    let events = std::fs::read_to_string(place.folder.path().join("events.json")).unwrap();
    assert!(events.len() > 100 && !events.contains("canary"), "{events}");

    // It is in Vault now: nothing is asked.
    let (code, shown) = Session::start(&place, "secret/asked/e", &["sync"]).end();
    assert_eq!((code, shown.contains("a/given:")), (Some(0), false), "{shown}");
}

#[tokio::test]
async fn a_question_that_is_left_open_writes_nothing() {
    let Some(server) = Server::start("secret").await else { return };
    let place = Place::new(&server);
    for key in ["\u{3}", "\u{1b}"] {
        let mut session = Session::start(&place, "secret/open/e", &["sync"]);
        session.wait_for("a/given:");
        session.types("canary-half");
        session.types(key);
        let (code, shown) = session.end();
        assert_eq!(code, Some(2), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert!(server.call("GET", "secret/metadata/open/e?list=true", None).await.is_none());
}
