//! Watches what a process that handles secrets shows to others while it runs: the command lines and environments of its
//! children, and files in its folder for temporary ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running watch.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen: where, and the texts there.
#[derive(Default)]
pub(crate) struct Seen {
    /// Command lines, and environments of all but our own program (whose credentials its user gave it there).
    pub(crate) children: BTreeMap<String, String>,
    /// Files, as they were at last while they were there.
    pub(crate) files: BTreeMap<PathBuf, String>,
}

impl Watch {
    /// Watches the descendants of this process, and this folder.
    pub(crate) fn start(temporary: &Path) -> Self {
        let (stop, folder) = (Arc::new(AtomicBool::new(false)), temporary.to_owned());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                descendants(std::process::id(), &mut |process| look_at(process, &mut seen));
                files_below(&folder, &mut seen.files);
                std::thread::sleep(Duration::from_millis(3));
            }
            seen
        });
        Self { stop, thread }
    }

    /// Ends the watch.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn look_at(process: u32, seen: &mut Seen) {
    let read = |file: &str| {
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default()).into_owned()
    };
    let arguments = read("cmdline");
    let program = arguments.split('\0').next().unwrap_or_default().to_owned();
    if !program.ends_with("rsp-install") {
        seen.children.entry(format!("environment of {program} ({process})")).or_insert_with(|| read("environ"));
    }
    seen.children.insert(format!("arguments of {program} ({process})"), arguments);
}

fn descendants(process: u32, look: &mut impl FnMut(u32)) {
    for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            look(child);
            descendants(child, look);
        }
    }
}

/// The content of every file below a folder.
pub(crate) fn files_below(folder: &Path, contents: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&path, contents),
            Ok(kind) if kind.is_file() => {
                if let Ok(content) = std::fs::read(&path) {
                    contents.insert(path, String::from_utf8_lossy(&content).into_owned());
                }
            }
            _ => {}
        }
    }
}
