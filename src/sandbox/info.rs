//! What the sandbox tells others; part of the command line's contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SandboxState {
    /// There is none.
    Absent,
    /// Its data is there, its servers are not.
    Stopped,
    /// Its servers are coming up, or one is being started again.
    Starting,
    /// Everything is there.
    Ready,
    /// Its servers are going down.
    Stopping,
    /// A server could not be kept alive.
    Failed,
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ServerState {
    /// It runs and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It ended by itself and will be started again.
    Exited,
    /// It was stopped.
    Stopped,
}

/// One server of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// Its name, for example `kube-apiserver`.
    pub name: String,
    /// How it is.
    pub state: ServerState,
    /// Its process, while it runs.
    pub pid: Option<i32>,
    /// Where it listens.
    pub address: String,
    /// Its log.
    pub log: PathBuf,
    /// How often it was started since the sandbox came up.
    pub starts: u32,
}

/// How to reach the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxInfo {
    /// The sandbox's name.
    pub name: String,
    /// How it is.
    pub state: SandboxState,
    /// Its state folder.
    pub folder: PathBuf,
    /// The administrator's kubeconfig, complete in itself.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// The API server's URL.
    pub server: String,
    /// The certificate authority of the API server.
    pub ca_file: PathBuf,
    /// Vault's URL.
    pub vault_address: String,
    /// The file with Vault's root token.
    pub vault_token_file: PathBuf,
    /// The API server's audit log, JSON lines.
    pub kubernetes_audit_log: PathBuf,
    /// Vault's audit log, JSON lines.
    pub vault_audit_log: PathBuf,
    /// The servers.
    pub servers: Vec<ServerStatus>,
}

/// What `down` found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxRemoved {
    /// The sandbox's name.
    pub name: String,
    /// How many processes were ended.
    pub ended: usize,
    /// Whether the data was deleted.
    pub deleted: bool,
}
