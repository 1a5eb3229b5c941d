//! Which cloud: `clouds.yaml`, `secure.yaml`, `OS_CLOUD`, `OS_*`, as the `openstack` command reads them.
//!
//! A file is looked for where `OS_CLIENT_CONFIG_FILE` says, else in the working directory, `~/.config/openstack` and
//! `/etc/openstack`; the first one counts. A secret that an entry lacks may come from its variable (`OS_PASSWORD`, also
//! `OS_PASSWORD_FILE`), and so may `cacert` (`OS_CACERT`). Turning certificate checks off (`verify: false`) is refused:
//! `cacert` does what is needed.

use super::credential::Credential;
use super::entry::{Auth, CloudsFile, Entry};
use super::error::OpenstackError;
use crate::process::Process;
use std::path::{Path, PathBuf};

/// A cloud that can be logged in to.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// What messages call it.
    pub name: String,
    pub(super) auth_url: String,
    pub(super) credential: Credential,
    pub(super) region: Option<String>,
    pub(super) interface: String,
    pub(super) cacert: Option<PathBuf>,
}

impl Cloud {
    /// The named cloud; without a name `OS_CLOUD`, else the `OS_*` variables.
    pub fn find(process: &Process, name: Option<&str>) -> Result<Self, OpenstackError> {
        let environment = from_variables(process)?;
        let Some(name) = name.or_else(|| process.variable("OS_CLOUD")) else {
            if environment.auth.auth_url.is_none() {
                return Err(OpenstackError::NoCloud);
            }
            return Self::from_entry("OS_AUTH_URL", environment, process);
        };
        let (searched, mut clouds) = read_first(process, "OS_CLIENT_CONFIG_FILE", "clouds")?;
        let (_, mut secure) = read_first(process, "OS_CLIENT_SECURE_FILE", "secure")?;
        match clouds.clouds.remove(name) {
            Some(entry) => {
                let entry = secure.clouds.remove(name).unwrap_or_default().or(entry);
                Self::from_entry(name, entry.or(secrets_and_trust(environment)), process)
            }
            // A CI job has no clouds.yaml: there the variables are the cloud of that name.
            None if searched.is_none() && environment.auth.auth_url.is_some() => {
                Self::from_entry(name, environment, process)
            }
            None => Err(OpenstackError::UnknownCloud {
                name: name.to_owned(),
                searched: searched.into_iter().collect(),
                known: clouds.clouds.into_keys().collect(),
            }),
        }
    }

    fn from_entry(name: &str, entry: Entry, process: &Process) -> Result<Self, OpenstackError> {
        let unsupported = |what: &str| OpenstackError::Unsupported { cloud: name.to_owned(), what: what.to_owned() };
        if entry.verify == Some(false) {
            return Err(unsupported("`verify: false` (name the cloud's CA with `cacert`)"));
        }
        let Some(auth_url) = entry.auth.auth_url.clone() else {
            return Err(match &entry.profile {
                Some(profile) => unsupported(&format!("the profile {profile:?} (write its auth_url into the entry)")),
                None => OpenstackError::incomplete(name, "auth_url"),
            });
        };
        Ok(Self {
            name: name.to_owned(),
            credential: Credential::from_entry(name, &entry)?,
            auth_url,
            region: entry.region_name,
            interface: entry.interface.map_or("public".to_owned(), |text| text.trim_end_matches("URL").to_owned()),
            cacert: entry.cacert.map(|path| expand(process, &path)),
        })
    }
}

fn from_variables(process: &Process) -> Result<Entry, OpenstackError> {
    let get = |name: &str| process.variable(name).map(str::to_owned);
    Ok(Entry {
        auth: Auth {
            auth_url: get("OS_AUTH_URL"),
            username: get("OS_USERNAME"),
            user_id: get("OS_USER_ID"),
            password: process.credential("OS_PASSWORD")?,
            user_domain_name: get("OS_USER_DOMAIN_NAME"),
            user_domain_id: get("OS_USER_DOMAIN_ID"),
            project_name: get("OS_PROJECT_NAME").or_else(|| get("OS_TENANT_NAME")),
            project_id: get("OS_PROJECT_ID").or_else(|| get("OS_TENANT_ID")),
            project_domain_name: get("OS_PROJECT_DOMAIN_NAME"),
            project_domain_id: get("OS_PROJECT_DOMAIN_ID"),
            application_credential_id: get("OS_APPLICATION_CREDENTIAL_ID"),
            application_credential_name: get("OS_APPLICATION_CREDENTIAL_NAME"),
            application_credential_secret: process.credential("OS_APPLICATION_CREDENTIAL_SECRET")?,
            token: process.credential("OS_TOKEN")?,
        },
        auth_type: get("OS_AUTH_TYPE"),
        region_name: get("OS_REGION_NAME"),
        interface: get("OS_INTERFACE").or_else(|| get("OS_ENDPOINT_TYPE")),
        cacert: get("OS_CACERT"),
        verify: None,
        profile: None,
    })
}

/// What the variables may add to an entry. The rest of them may belong to another cloud.
fn secrets_and_trust(environment: Entry) -> Entry {
    let Auth { password, application_credential_secret, token, .. } = environment.auth;
    let auth = Auth { password, application_credential_secret, token, ..Auth::default() };
    Entry { auth, cacert: environment.cacert, ..Entry::default() }
}

/// The first file of that name, and what is in it.
fn read_first(process: &Process, variable: &str, stem: &str) -> Result<(Option<PathBuf>, CloudsFile), OpenstackError> {
    let named = process.variable(variable).map(|path| expand(process, path));
    let paths = named.map_or_else(|| usual_places(process, stem), |path| vec![path]);
    for path in paths {
        match std::fs::read_to_string(&path) {
            Ok(text) => return parse(&path, &text).map(|file| (Some(path), file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && process.variable(variable).is_none() => {}
            Err(source) => return Err(OpenstackError::File { path, source }),
        }
    }
    Ok((None, CloudsFile::default()))
}

fn usual_places(process: &Process, stem: &str) -> Vec<PathBuf> {
    let config = process.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| process.home().map(|home| home.join(".config")));
    let folders = [Some(process.directory.clone()), config.map(|folder| folder.join("openstack"))];
    let folders = folders.into_iter().flatten().chain([PathBuf::from("/etc/openstack")]);
    folders.flat_map(|folder| ["yaml", "yml"].map(|end| folder.join(format!("{stem}.{end}")))).collect()
}

fn parse(path: &Path, text: &str) -> Result<CloudsFile, OpenstackError> {
    // A snippet of the file in the message could show a password.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| OpenstackError::Malformed { path: path.to_owned(), message: error.to_string() })
}

fn expand(process: &Process, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), process.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => process.directory.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Explain, Kind};

    const CLOUDS: &str = "clouds:
  somerville:
    region_name: RegionOne
    interface: internalURL
    cacert: ~/ca.pem
    auth: {auth_url: https://keystone/v3, username: ada, project_name: rsp, password: 0400}
  open: {auth: {auth_url: https://keystone/v3, username: ada, project_name: rsp}}
  blind: {verify: false, auth: {auth_url: https://keystone/v3}}
";

    fn process(folder: &Path, more: &[(&str, &str)]) -> Process {
        std::fs::write(folder.join("clouds.yaml"), CLOUDS).unwrap();
        let mut process = Process::given(more);
        process.variables.insert("HOME".into(), folder.to_str().unwrap().into());
        process.directory = folder.to_owned();
        process
    }

    fn password(cloud: &Cloud) -> String {
        let body = cloud.credential.body();
        body["auth"]["identity"]["password"]["user"]["password"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_named_cloud_is_read_with_its_secure_file_and_variables() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Cloud::find(&process(folder.path(), &[]), Some("somerville")).unwrap();
        assert_eq!((plain.interface.as_str(), plain.region.as_deref()), ("internal", Some("RegionOne")));
        assert_eq!(plain.cacert.as_deref(), Some(folder.path().join("ca.pem").as_path()));
        assert_eq!(password(&plain), "0400", "a password is text even if it looks like a number");
        let from_variable = Cloud::find(&process(folder.path(), &[("OS_PASSWORD", "v")]), Some("open")).unwrap();
        assert_eq!(password(&from_variable), "v");
        std::fs::write(folder.path().join("secure.yaml"), "clouds: {open: {auth: {password: hidden}}}").unwrap();
        let secured = Cloud::find(&process(folder.path(), &[("OS_CLOUD", "open")]), None).unwrap();
        assert_eq!(password(&secured), "hidden");
    }

    #[test]
    fn an_unknown_cloud_is_an_error_that_lists_the_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        let error = Cloud::find(&process(folder.path(), &[]), Some("no-such")).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.help(), ["the clouds there are blind, open, somerville"]);
        assert!(Cloud::find(&process(folder.path(), &[]), Some("blind")).is_err());
        assert!(matches!(Cloud::find(&Process::given(&[]), None), Err(OpenstackError::NoCloud)));
    }

    #[test]
    fn variables_alone_are_a_cloud() {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("OS_AUTH_URL", "https://k/v3"), ("OS_TOKEN", "t"), ("OS_PROJECT_ID", "p")];
        let mut process = Process::given(&variables);
        process.directory = folder.path().to_owned();
        let cloud = Cloud::find(&process, None).unwrap();
        assert_eq!(cloud.credential.body()["auth"]["identity"]["token"]["id"], "t");
        assert!(Cloud::find(&process, Some("somerville")).is_ok(), "in CI the variables are the cloud of that name");
    }

    #[test]
    fn a_broken_file_is_named_without_showing_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(folder.path(), &[]);
        std::fs::write(folder.path().join("clouds.yaml"), "clouds:\n  a: {auth: {password: canary, : }\n").unwrap();
        let error = Cloud::find(&process, Some("a")).unwrap_err().to_string();
        assert!(error.contains("clouds.yaml") && !error.contains("canary"), "{error}");
    }
}
