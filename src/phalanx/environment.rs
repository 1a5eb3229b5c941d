//! What `environments/values-<name>.yaml`, laid over `environments/values.yaml`, says.

use super::application::Application;
use super::vault_prefix::VaultPrefix;
use super::yaml::{Node, YamlError};
use std::collections::BTreeMap;

/// One environment with its enabled applications.
#[derive(Debug, Clone)]
pub struct PhalanxEnvironment {
    /// Its name: of the values files.
    pub name: String,
    /// Its primary host.
    pub fqdn: String,
    /// The parent Argo CD Application.
    pub app_of_apps_name: String,
    /// Its Vault server.
    pub vault_url: String,
    /// Where its secrets lie there.
    pub vault_prefix: VaultPrefix,
    /// The repository that Argo CD reads.
    pub repo_url: String,
    /// The branch, tag or commit of every application that has none of its own.
    pub target_revision: String,
    /// Applications that are pinned to a revision of their own.
    pub revisions: BTreeMap<String, String>,
    /// Where static secrets lie, if in 1Password.
    pub onepassword: Option<OnePassword>,
    /// The enabled applications, sorted by name.
    pub applications: Vec<Application>,
}

/// A 1Password Connect server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnePassword {
    /// Its address.
    pub connect_url: String,
    /// The title of the vault there.
    pub vault_title: String,
}

impl PhalanxEnvironment {
    /// An enabled application by name.
    pub fn application(&self, name: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.name == name)
    }

    /// The revision that Argo CD installs of an application.
    pub fn revision_of(&self, application: &str) -> &str {
        self.revisions.get(application).unwrap_or(&self.target_revision)
    }

    /// Reads everything but the applications from the merged values.
    pub(super) fn read(name: &str, values: &Node) -> Result<Self, YamlError> {
        let own = values.require("name")?;
        if own.text()? != name {
            // phalanx's own tool goes by the file, Argo CD by this value: they would read different values files.
            return Err(own.wrong(format!("name is {:?}, but the file is that of {name}", own.text()?)));
        }
        let prefix = values.require("vaultPathPrefix")?;
        let vault_prefix = VaultPrefix::parse(prefix.text()?).ok_or_else(|| {
            prefix.wrong("vaultPathPrefix must be a mount, a slash and a path, as in secret/phalanx/name")
        })?;
        let text = |name: &str| values.require(name).and_then(filled);
        Ok(Self {
            name: name.to_owned(),
            fqdn: text("fqdn")?,
            app_of_apps_name: text("appOfAppsName")?,
            vault_url: text("vaultUrl")?,
            vault_prefix,
            repo_url: text("repoUrl")?,
            target_revision: text("targetRevision")?,
            revisions: revisions(values)?,
            onepassword: onepassword(values)?,
            applications: Vec::new(),
        })
    }
}

/// The names with a true value under `applications`, sorted.
pub(super) fn enabled(values: &Node) -> Result<Vec<String>, YamlError> {
    let mut names = Vec::new();
    for (key, node) in values.require("applications")?.entries()? {
        if !node.is_null() && node.bool()? {
            names.push(key.name.clone());
        }
    }
    names.sort();
    Ok(names)
}

fn filled(node: &Node) -> Result<String, YamlError> {
    match node.text()? {
        "" => Err(node.wrong("this must not be empty")),
        text => Ok(text.to_owned()),
    }
}

fn revisions(values: &Node) -> Result<BTreeMap<String, String>, YamlError> {
    let entries = values.get("revisions").map_or(Ok(&[][..]), Node::entries)?;
    entries.iter().map(|(key, node)| Ok((key.name.clone(), filled(node)?))).collect()
}

/// An empty address means that there is none, as for phalanx's own tool.
fn onepassword(values: &Node) -> Result<Option<OnePassword>, YamlError> {
    let Some(node) = values.get("onepassword").filter(|node| !node.is_null()) else { return Ok(None) };
    match node.get("connectUrl") {
        Some(url) if !url.is_null() && !url.text()?.is_empty() => Ok(Some(OnePassword {
            connect_url: url.text()?.to_owned(),
            vault_title: filled(node.require("vaultTitle")?)?,
        })),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::yaml;

    const WHOLE: &str = "name: a\nfqdn: a.example.org\nappOfAppsName: x\nvaultUrl: https://v\nvaultPathPrefix: kv/p/a\n\
                         repoUrl: https://r\ntargetRevision: main\nrevisions: {strimzi: strimzi-1}\n\
                         applications: {b: true, a: yes, c: false, d: null}\n";

    fn environment(text: &str) -> Result<PhalanxEnvironment, String> {
        let values = yaml::read("v.yaml", text.as_bytes()).map_err(|error| error.to_string())?;
        PhalanxEnvironment::read("a", &values).map_err(|error| error.to_string())
    }

    #[test]
    fn an_environment_reads_its_keys() {
        let read = environment(WHOLE).unwrap();
        assert_eq!(
            (read.vault_prefix.mount.as_str(), read.revision_of("strimzi"), read.revision_of("tap")),
            ("kv", "strimzi-1", "main")
        );
        assert_eq!(enabled(&yaml::read("v.yaml", WHOLE.as_bytes()).unwrap()).unwrap(), ["a", "b"]);
        assert_eq!(read.onepassword, None);
    }

    #[test]
    fn a_wrong_name_prefix_or_flag_is_pointed_at() {
        let name = environment(&WHOLE.replace("name: a\n", "name: b\n")).unwrap_err();
        assert_eq!(name, "v.yaml:1:7: name is \"b\", but the file is that of a");
        assert!(
            environment(&WHOLE.replace("kv/p/a", "secret"))
                .unwrap_err()
                .starts_with("v.yaml:5:18: vaultPathPrefix must")
        );
        assert!(
            environment(&WHOLE.replace("fqdn: a.example.org", "fqdn: \"\"")).unwrap_err().contains("must not be empty")
        );
        let flag = yaml::read("v.yaml", WHOLE.replace("b: true", "b: \"true\"").as_bytes()).unwrap();
        assert_eq!(enabled(&flag).unwrap_err().to_string(), "v.yaml:9:19: expected true or false, found a text");
    }
}
