//! Which Secret the secrets operator reads its login from, as the checkout's values say; it is not the same everywhere.

use crate::error::{Failure, Kind};
use crate::phalanx::yaml::{Node, YamlError};
use crate::phalanx::{Checkout, PhalanxError};
use std::collections::BTreeMap;

/// The application.
pub(super) const OPERATOR: &str = "vault-secrets-operator";

/// The Secret that the operator's pod reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OperatorLogin {
    /// Its name.
    pub secret: String,
    /// Key to the environment variable that it fills.
    pub keys: BTreeMap<String, Variable>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    RoleId,
    SecretId,
    Token,
    /// A number of seconds that is no secret.
    Seconds(&'static str),
}

/// The variables that the operator knows. The seconds are phalanx's own: an hour between logins, a year for a token.
const VARIABLES: [(&str, Variable); 5] = [
    ("VAULT_ROLE_ID", Variable::RoleId),
    ("VAULT_SECRET_ID", Variable::SecretId),
    ("VAULT_TOKEN", Variable::Token),
    ("VAULT_TOKEN_MAX_TTL", Variable::Seconds("3600")),
    ("VAULT_TOKEN_LEASE_DURATION", Variable::Seconds("31536000")),
];

impl OperatorLogin {
    /// Reads the values of the operator; nothing when it takes its login from no Secret.
    pub(super) fn read(checkout: &Checkout, environment: &str) -> Result<Option<Self>, PhalanxError> {
        let values = checkout.value_nodes(OPERATOR, environment)?;
        Ok(Self::in_values(&values)?)
    }

    fn in_values(values: &Node) -> Result<Option<Self>, YamlError> {
        let variables = values.get(OPERATOR).and_then(|chart| chart.get("environmentVars"));
        let mut login: Option<Self> = None;
        for item in variables.map_or(Ok(&[][..]), Node::items)? {
            let Some(reference) = item.get("valueFrom").and_then(|from| from.get("secretKeyRef")) else { continue };
            let (name, key) = (reference.require("name")?.text()?, reference.require("key")?.text()?);
            let variable = item.require("name")?;
            let Some((_, kind)) = VARIABLES.iter().find(|(known, _)| Ok(*known) == variable.text()) else {
                return Err(variable.wrong(format!("we cannot supply {} from a Secret", variable.text()?)));
            };
            let login = login.get_or_insert_with(|| Self { secret: name.to_owned(), keys: BTreeMap::new() });
            if login.secret != name {
                return Err(reference.wrong(format!("the login is in two Secrets, {} and {name}", login.secret)));
            }
            login.keys.insert(key.to_owned(), *kind);
        }
        Ok(login)
    }

    /// Whether the operator wants a token instead of an AppRole.
    pub(super) fn wants_token(&self) -> bool {
        self.keys.values().any(|variable| *variable == Variable::Token)
    }

    /// The content of the Secret.
    pub(super) fn data(&self, given: &Given) -> Result<BTreeMap<String, String>, Failure> {
        let value = |variable: &Variable| match (variable, given) {
            (Variable::RoleId, Given::AppRole { role_id, .. }) => Some(role_id.expose().to_owned()),
            (Variable::SecretId, Given::AppRole { secret_id, .. }) => Some(secret_id.expose().to_owned()),
            (Variable::Token, Given::Token(token)) => Some(token.expose().to_owned()),
            (Variable::Seconds(seconds), _) => Some((*seconds).to_owned()),
            _ => None,
        };
        let entry = |(key, variable): (&String, &Variable)| {
            let missing = || {
                let secret = &self.secret;
                let what =
                    format!("the values of {OPERATOR} read key {key} of Secret {secret}, which the credentials lack");
                Failure::new(Kind::Invalid, what)
            };
            Ok((key.clone(), value(variable).ok_or_else(missing)?))
        };
        self.keys.iter().map(entry).collect()
    }
}

/// Credentials of the operator.
pub(super) enum Given {
    /// An AppRole's.
    AppRole {
        /// Its id.
        role_id: crate::secret_value::SecretValue,
        /// Its secret.
        secret_id: crate::secret_value::SecretValue,
    },
    /// A token.
    Token(crate::secret_value::SecretValue),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::yaml;

    fn login(text: &str) -> Result<Option<OperatorLogin>, String> {
        let values = yaml::read("values.yaml", text.as_bytes()).unwrap();
        OperatorLogin::in_values(&values).map_err(|error| error.to_string())
    }

    fn variable(name: &str, secret: &str) -> String {
        format!("  - {{name: {name}, valueFrom: {{secretKeyRef: {{name: {secret}, key: {name}}}}}}}\n")
    }

    #[test]
    fn name_and_keys_come_from_the_values() {
        let head = "vault-secrets-operator:\n  environmentVars:\n";
        let usdf = head.to_owned()
            + &variable("VAULT_ROLE_ID", "vault-secrets-operator")
            + &variable("VAULT_SECRET_ID", "vault-secrets-operator")
            + &variable("VAULT_TOKEN_MAX_TTL", "vault-secrets-operator")
            + "  - {name: VAULT_LITERAL, value: \"1\"}\n";
        let login_ = login(&usdf).unwrap().unwrap();
        assert_eq!(
            (login_.secret.as_str(), login_.keys.len(), login_.wants_token()),
            ("vault-secrets-operator", 3, false)
        );
        assert!(login(&(head.to_owned() + &variable("VAULT_TOKEN", "x"))).unwrap().unwrap().wants_token());
        assert_eq!(login("vault-secrets-operator: {}\n"), Ok(None));
        let two = head.to_owned() + &variable("VAULT_ROLE_ID", "x") + &variable("VAULT_SECRET_ID", "y");
        assert!(login(&two).unwrap_err().contains("in two Secrets, x and y"));
        assert!(login(&(head.to_owned() + &variable("OTHER", "x"))).unwrap_err().contains("we cannot supply OTHER"));
    }
}
