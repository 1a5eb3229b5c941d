//! What we log in with, and the body that says so to Keystone.

use super::entry::Entry;
use super::error::OpenstackError;
use crate::secret_value::SecretValue;
use serde_json::{Value, json};

/// How we log in.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// Name and password, scoped to a project.
    Password { user: Value, password: SecretValue, project: Value },
    /// An application credential; it carries its project.
    Application { identity: Value, secret: SecretValue },
    /// A token that somebody else obtained, scoped to a project where one is named.
    Token { token: SecretValue, project: Option<Value> },
}

impl Credential {
    /// From an entry.
    pub(super) fn from_entry(cloud: &str, entry: &Entry) -> Result<Self, OpenstackError> {
        let auth = &entry.auth;
        let guessed = if auth.application_credential_secret.is_some() {
            "v3applicationcredential"
        } else if auth.token.is_some() {
            "v3token"
        } else {
            "password"
        };
        match entry.auth_type.as_deref().unwrap_or(guessed) {
            "password" | "v3password" => Self::password(cloud, entry),
            "v3applicationcredential" => Self::application(cloud, entry),
            "token" | "v3token" => {
                let token = auth.token.clone().ok_or(OpenstackError::incomplete(cloud, "token"))?;
                Ok(Self::Token { token, project: project(entry) })
            }
            other => Err(OpenstackError::Unsupported { cloud: cloud.to_owned(), what: format!("auth_type {other}") }),
        }
    }

    fn password(cloud: &str, entry: &Entry) -> Result<Self, OpenstackError> {
        let auth = &entry.auth;
        let user = match (&auth.user_id, &auth.username) {
            (Some(id), _) => json!({ "id": id }),
            (None, Some(name)) => {
                json!({ "name": name, "domain": domain(auth.user_domain_id.as_ref(), auth.user_domain_name.as_ref()) })
            }
            (None, None) => return Err(OpenstackError::incomplete(cloud, "username")),
        };
        let password = auth.password.clone().ok_or(OpenstackError::incomplete(cloud, "password"))?;
        let project = project(entry).ok_or(OpenstackError::incomplete(cloud, "project_name"))?;
        Ok(Self::Password { user, password, project })
    }

    fn application(cloud: &str, entry: &Entry) -> Result<Self, OpenstackError> {
        let auth = &entry.auth;
        let secret = auth.application_credential_secret.clone();
        let secret = secret.ok_or(OpenstackError::incomplete(cloud, "application_credential_secret"))?;
        if let Some(id) = &auth.application_credential_id {
            return Ok(Self::Application { identity: json!({ "id": id }), secret });
        }
        // By name, Keystone must also be told whose it is.
        let name = auth.application_credential_name.as_ref();
        let name = name.ok_or(OpenstackError::incomplete(cloud, "application_credential_id"))?;
        let user = match (&auth.user_id, &auth.username) {
            (Some(id), _) => json!({ "id": id }),
            (None, Some(user)) => {
                json!({ "name": user, "domain": domain(auth.user_domain_id.as_ref(), auth.user_domain_name.as_ref()) })
            }
            (None, None) => return Err(OpenstackError::incomplete(cloud, "username")),
        };
        Ok(Self::Application { identity: json!({ "name": name, "user": user }), secret })
    }

    /// The body of `POST /v3/auth/tokens`.
    pub(super) fn body(&self) -> Value {
        match self {
            Self::Password { user, password, project } => {
                let mut user = user.clone();
                user["password"] = Value::from(password.expose());
                json!({ "auth": {
                    "identity": { "methods": ["password"], "password": { "user": user } },
                    "scope": { "project": project },
                } })
            }
            Self::Application { identity, secret } => {
                let mut application = identity.clone();
                application["secret"] = Value::from(secret.expose());
                json!({ "auth": { "identity": {
                    "methods": ["application_credential"], "application_credential": application,
                } } })
            }
            Self::Token { token, project } => {
                let identity = json!({ "methods": ["token"], "token": { "id": token.expose() } });
                match project {
                    Some(project) => json!({ "auth": { "identity": identity, "scope": { "project": project } } }),
                    None => json!({ "auth": { "identity": identity } }),
                }
            }
        }
    }

    /// What to look at when Keystone refuses it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Password { .. } => "check user name, password, their domain and the project",
            Self::Application { .. } => {
                "check id and secret; an application credential may have expired or been deleted: make a new one with \
                 `openstack application credential create --unrestricted NAME`"
            }
            Self::Token { .. } => "a token lives for hours only: get a new one with `openstack token issue`",
        }
    }
}

fn domain(id: Option<&String>, name: Option<&String>) -> Value {
    match (id, name) {
        (Some(id), _) => json!({ "id": id }),
        (None, Some(name)) => json!({ "name": name }),
        (None, None) => json!({ "name": "Default" }),
    }
}

fn project(entry: &Entry) -> Option<Value> {
    let auth = &entry.auth;
    match (&auth.project_id, &auth.project_name) {
        (Some(id), _) => Some(json!({ "id": id })),
        (None, Some(name)) => {
            let domain = domain(auth.project_domain_id.as_ref(), auth.project_domain_name.as_ref());
            Some(json!({ "name": name, "domain": domain }))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(yaml: &str) -> Entry {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn the_kind_of_login_follows_from_what_is_given() {
        let password = entry("auth: {username: ada, password: p, project_name: rsp, user_domain_id: abc}");
        let body = Credential::from_entry("c", &password).unwrap().body();
        assert_eq!(body["auth"]["identity"]["password"]["user"]["domain"]["id"], "abc");
        assert_eq!(body["auth"]["scope"]["project"]["domain"]["name"], "Default");
        let application = entry("auth: {application_credential_id: i, application_credential_secret: s}");
        let body = Credential::from_entry("c", &application).unwrap().body();
        assert_eq!(body["auth"]["identity"]["application_credential"]["secret"], "s");
        assert!(body["auth"].get("scope").is_none(), "Keystone allows no scope here");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Credential::from_entry("somerville", &entry("auth: {username: ada, project_name: rsp}"));
        assert_eq!(error.unwrap_err().to_string(), "cloud somerville: password is missing");
        assert!(Credential::from_entry("c", &entry("auth_type: v3oidcpassword")).is_err());
    }

    #[test]
    fn no_secret_shows_in_debug_text() {
        let text = "auth: {username: ada, password: canary-1, project_name: rsp}";
        let credential = Credential::from_entry("c", &entry(text)).unwrap();
        assert!(!format!("{credential:?} {:?}", entry(text)).contains("canary"));
    }
}
