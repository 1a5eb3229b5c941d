//! Free ports on the loopback interface.

use super::SandboxError;
use super::folder::Folder;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, TcpListener};

pub(super) const FILE: &str = "ports.json";

/// The port of each server. They stay the same as long as nobody else takes them, so that a kubeconfig that somebody
/// copied still works after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ports {
    pub etcd: u16,
    pub etcd_peer: u16,
    pub api_server: u16,
    pub controller_manager: u16,
    pub scheduler: u16,
    pub kwok: u16,
    pub vault: u16,
    pub redis: u16,
    pub repo_server: u16,
    pub repo_server_metrics: u16,
    pub application_controller: u16,
}

impl Ports {
    /// The ports of the last start when all are still free, else new ones.
    pub(super) fn choose(folder: &Folder) -> Result<Self, SandboxError> {
        if let Some(last) = folder.read_json::<Self>(FILE)?
            && last.all().into_iter().all(|port| listen(port).is_ok())
        {
            return Ok(last);
        }
        let ports = Self::fresh().map_err(SandboxError::file("write", folder.path(FILE)))?;
        folder.write_json(FILE, &ports)?;
        Ok(ports)
    }

    /// Ports that are free now. All are held until the last is found, or one could be handed out twice.
    fn fresh() -> std::io::Result<Self> {
        let mut held = Vec::new();
        let mut next = || {
            let listener = find()?;
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok::<_, std::io::Error>(port)
        };
        Ok(Self {
            etcd: next()?,
            etcd_peer: next()?,
            api_server: next()?,
            controller_manager: next()?,
            scheduler: next()?,
            kwok: next()?,
            vault: next()?,
            redis: next()?,
            repo_server: next()?,
            repo_server_metrics: next()?,
            application_controller: next()?,
        })
    }

    fn all(&self) -> [u16; 11] {
        [
            self.etcd,
            self.etcd_peer,
            self.api_server,
            self.controller_manager,
            self.scheduler,
            self.kwok,
            self.vault,
            self.redis,
            self.repo_server,
            self.repo_server_metrics,
            self.application_controller,
        ]
    }
}

/// Below the range from which the kernel takes a port for every connection that somebody opens: one from there may be
/// in use whenever the sandbox comes back.
const RANGE: std::ops::Range<u16> = 10_240..32_000;

fn find() -> std::io::Result<TcpListener> {
    let mut tries = (0..200).map(|_| listen(rand::random_range(RANGE)));
    tries.find_map(Result::ok).map_or_else(|| listen(0), Ok)
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stay_until_somebody_else_takes_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("sandbox"));
        folder.create().unwrap();
        let first = Ports::choose(&folder).unwrap();
        assert_eq!(Ports::choose(&folder).unwrap(), first);
        let _taken = listen(first.vault).unwrap();
        let second = Ports::choose(&folder).unwrap();
        assert_ne!(second.vault, first.vault);
    }
}
