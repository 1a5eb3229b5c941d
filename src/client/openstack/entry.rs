//! One entry of `clouds.yaml`, as far as we read it.

use crate::secret_value::SecretValue;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `clouds.yaml` or `secure.yaml`. Other keys belong to other tools.
#[derive(Default, Deserialize)]
pub(super) struct CloudsFile {
    #[serde(default)]
    pub(super) clouds: BTreeMap<String, Entry>,
}

/// An entry.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Entry {
    #[serde(default)]
    pub(super) auth: Auth,
    pub(super) auth_type: Option<String>,
    pub(super) region_name: Option<String>,
    #[serde(alias = "endpoint_type")]
    pub(super) interface: Option<String>,
    pub(super) cacert: Option<String>,
    pub(super) verify: Option<bool>,
    pub(super) profile: Option<String>,
}

/// Its `auth` section.
#[allow(clippy::struct_field_names, reason = "these are the keys of clouds.yaml")]
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Auth {
    pub(super) auth_url: Option<String>,
    pub(super) username: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) password: Option<SecretValue>,
    pub(super) user_domain_name: Option<String>,
    pub(super) user_domain_id: Option<String>,
    #[serde(alias = "tenant_name")]
    pub(super) project_name: Option<String>,
    #[serde(alias = "tenant_id")]
    pub(super) project_id: Option<String>,
    pub(super) project_domain_name: Option<String>,
    pub(super) project_domain_id: Option<String>,
    pub(super) application_credential_id: Option<String>,
    pub(super) application_credential_name: Option<String>,
    pub(super) application_credential_secret: Option<SecretValue>,
    pub(super) token: Option<SecretValue>,
}

impl Entry {
    /// This entry, and what it lacks from the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            auth: self.auth.or(other.auth),
            auth_type: self.auth_type.or(other.auth_type),
            region_name: self.region_name.or(other.region_name),
            interface: self.interface.or(other.interface),
            cacert: self.cacert.or(other.cacert),
            verify: self.verify.or(other.verify),
            profile: self.profile.or(other.profile),
        }
    }
}

impl Auth {
    fn or(self, other: Self) -> Self {
        Self {
            auth_url: self.auth_url.or(other.auth_url),
            username: self.username.or(other.username),
            user_id: self.user_id.or(other.user_id),
            password: self.password.or(other.password),
            user_domain_name: self.user_domain_name.or(other.user_domain_name),
            user_domain_id: self.user_domain_id.or(other.user_domain_id),
            project_name: self.project_name.or(other.project_name),
            project_id: self.project_id.or(other.project_id),
            project_domain_name: self.project_domain_name.or(other.project_domain_name),
            project_domain_id: self.project_domain_id.or(other.project_domain_id),
            application_credential_id: self.application_credential_id.or(other.application_credential_id),
            application_credential_name: self.application_credential_name.or(other.application_credential_name),
            application_credential_secret: self.application_credential_secret.or(other.application_credential_secret),
            token: self.token.or(other.token),
        }
    }
}
