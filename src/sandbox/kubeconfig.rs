//! Kubeconfigs that are complete in themselves, one for each client.

use super::SandboxError;
use super::certificates::CLIENTS;
use super::folder::Folder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The context's name.
pub(super) fn context(sandbox: &str) -> String {
    format!("rsp-install-sandbox-{sandbox}")
}

/// The file of a client; the administrator's has a name that people find.
pub(super) fn file(client: &str) -> String {
    if client == "admin" { "kubeconfig".into() } else { format!("clients/{client}.kubeconfig") }
}

/// Writes all of them.
pub(super) fn write_all(folder: &Folder, sandbox: &str, server: &str) -> Result<(), SandboxError> {
    let data = |name: &str| {
        Ok::<_, SandboxError>(STANDARD.encode(folder.read(&format!("certificates/{name}"))?.unwrap_or_default()))
    };
    let name = context(sandbox);
    let ca = data("ca.crt")?;
    for (client, ..) in CLIENTS {
        let user = json!({
            "client-certificate-data": data(&format!("{client}.crt"))?,
            "client-key-data": data(&format!("{client}.key"))?,
        });
        // JSON is YAML: every client reads it.
        folder.write_json(
            &file(client),
            &json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": ca}}],
                "users": [{"name": name, "user": user}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            }),
        )?;
    }
    Ok(())
}
