//! Children that do not outlive the daemon, however it dies.
//!
//! A server is started through our own program: it asks the kernel to be killed when its parent dies, and then becomes
//! the server. The request survives the exec, and it is tied to the *thread* that started the child; the daemon has but
//! one. The usual way, code between fork and exec, would be our only unsafe code.

use super::SandboxError;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// The hidden arguments that come before the parent's id and the server's command line.
pub(super) const ARGUMENTS: [&str; 2] = ["sandbox", "child"];

/// Becomes the program; returns only if that fails.
pub fn become_child(parent: i32, program: &Path, arguments: &[String]) -> SandboxError {
    let failed = |source| SandboxError::Start { program: program.to_owned(), source };
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL) {
        return failed(error.into());
    }
    // The parent may have died before the request was made: then nobody would ever send the signal.
    if getppid() != Pid::from_raw(parent) {
        return failed(std::io::Error::other("the daemon has gone"));
    }
    failed(Command::new(program).args(arguments).exec())
}
