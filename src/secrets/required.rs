//! Which secrets an environment requires, and of which class each is: definitions with their conditions evaluated.

use super::definition::Definition;
use super::error::SecretsError;
use super::generator::Generator;
use super::name::SecretName;
use crate::phalanx::yaml::{Key, Node, Position};
use crate::phalanx::{Checkout, PhalanxEnvironment};
use std::collections::BTreeSet;

/// A secret that the environment must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredSecret {
    /// Which.
    pub name: SecretName,
    /// Where its value comes from.
    pub class: Class,
    /// What it is for.
    pub description: String,
    /// Whether its copy in 1Password is encoded in base64.
    pub encoded: bool,
    /// Where it is defined.
    pub position: Position,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// It is written in the definition, and no secret.
    Fixed(String),
    /// It is that of another secret.
    Copy(SecretName),
    /// We make it.
    Generated(Generator),
    /// Somebody must give it.
    Static,
}

/// All secrets that the environment requires, sorted by application and key; excluded applications are left out.
pub fn required(
    checkout: &Checkout,
    environment: &PhalanxEnvironment,
    exclude: &BTreeSet<String>,
) -> Result<Vec<RequiredSecret>, SecretsError> {
    let mut all = Vec::new();
    for application in environment.applications.iter().filter(|application| !exclude.contains(&application.name)) {
        all.extend(of_application(checkout, &application.name, &environment.name)?);
    }
    Ok(all)
}

fn of_application(
    checkout: &Checkout,
    application: &str,
    environment: &str,
) -> Result<Vec<RequiredSecret>, SecretsError> {
    let entries = entries(checkout, application, environment)?;
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let values = checkout.value_nodes(application, environment)?;
    let mut secrets = Vec::new();
    for (key, node) in &entries {
        let definition = Definition::read(application, &key.name, node)?;
        secrets.extend(evaluate(application, &key.name, definition, &values)?);
    }
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(secrets)
}

/// The entries of `secrets.yaml`; those of `secrets-<environment>.yaml` take the place of whole entries.
fn entries(checkout: &Checkout, application: &str, environment: &str) -> Result<Vec<(Key, Node)>, SecretsError> {
    let mut entries: Vec<(Key, Node)> = Vec::new();
    for file in ["secrets.yaml".to_owned(), format!("secrets-{environment}.yaml")] {
        let Some(root) = checkout.yaml(&format!("applications/{application}/{file}"))? else { continue };
        for (key, node) in root.entries().map_err(crate::phalanx::PhalanxError::from)? {
            entries.retain(|(known, _)| known.name != key.name);
            entries.push((key.clone(), node.clone()));
        }
    }
    Ok(entries)
}

/// Evaluates the conditions; nothing when the secret is not required here.
fn evaluate(
    application: &str,
    key: &str,
    definition: Definition,
    values: &Node,
) -> Result<Option<RequiredSecret>, SecretsError> {
    let holds = |condition: &Option<super::definition::Condition>| {
        condition.as_ref().map_or(Ok(true), |condition| condition.holds(application, key, values))
    };
    if !holds(&definition.condition)? {
        return Ok(None);
    }
    let mut copy = definition.copy;
    if let Some(rule) = &copy
        && !holds(&rule.condition)?
    {
        copy = None;
    }
    let mut generate = definition.generate;
    if let Some(rule) = &generate
        && !holds(&rule.condition)?
    {
        generate = None;
    }
    let class = match (definition.value, copy, generate) {
        (_, Some(_), Some(_)) => {
            return Err(SecretsError::Definition {
                position: definition.position,
                application: application.to_owned(),
                key: key.to_owned(),
                message: "copy and generate both apply in this environment".into(),
            });
        }
        (Some(value), ..) => Class::Fixed(value),
        (None, Some(copy), None) => Class::Copy(SecretName::new(copy.rule.application, copy.rule.key)),
        (None, None, Some(generate)) => Class::Generated(Generator::from_rule(generate.rule)),
        (None, None, None) => Class::Static,
    };
    Ok(Some(RequiredSecret {
        name: SecretName::new(application, key),
        class,
        description: definition.description.unwrap_or_default(),
        encoded: definition.encoded,
        position: definition.position,
    }))
}
