//! Which process is meant: an id alone may belong to somebody else after a reboot or a day.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// One process, for good: its id, the boot it ran in, and when it started in that boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessMark {
    /// The process id.
    pub pid: i32,
    boot_id: String,
    start_ticks: u64,
}

impl ProcessMark {
    /// The mark of a process that is running now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let start_ticks = started(pid)?;
        Some(Self { pid, boot_id: boot_id().to_owned(), start_ticks })
    }

    /// This very process.
    pub(super) fn own() -> Option<Self> {
        Self::of(nix::unistd::getpid().as_raw())
    }

    /// Whether that process still runs; one that has ended and waits for its parent to look does not.
    pub(super) fn is_alive(&self) -> bool {
        self.boot_id == boot_id() && started(self.pid) == Some(self.start_ticks)
    }

    /// Sends a signal to that process, and to no other.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Err(Errno::ESRCH) => Ok(()),
            other => other,
        }
    }
}

fn boot_id() -> &'static str {
    // It cannot change while we run, and every server is asked about several times a run.
    static BOOT: LazyLock<String> = LazyLock::new(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    });
    &BOOT
}

/// When a process started, in ticks since the boot; nothing when it has ended. A process whose first thread is a zombie
/// has not ended while others still run: they hold its files and ports.
fn started(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, even spaces and brackets: what follows its last bracket is regular.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (state, threads, start) = (fields.first()?, fields.get(17)?, fields.get(19)?);
    let ended = *state == "Z" && threads.parse::<u32>().ok()? <= 1;
    if ended { None } else { start.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_its_id_in_another_boot_is_somebody_else() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mark = ProcessMark::of(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(mark.is_alive());
        assert!(!ProcessMark { boot_id: "another".into(), ..mark.clone() }.is_alive());
        assert!(!ProcessMark { start_ticks: mark.start_ticks + 1, ..mark.clone() }.is_alive());
        mark.signal(Signal::SIGKILL).unwrap();
        while mark.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(mark.signal(Signal::SIGKILL).is_ok());
    }
}
