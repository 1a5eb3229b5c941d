//! The shapes of Vault's answers.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Every answer with a body has its content under `data` (or `auth`).
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub data: T,
}

/// A refusal.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Errors {
    pub errors: Vec<String>,
    pub data: Option<serde_json::Value>,
}

/// The names of a listing.
#[derive(Deserialize)]
pub(super) struct Keys {
    pub keys: Vec<String>,
}

/// Reads a body. The error of a JSON parser tells line and column, never the text.
pub(super) fn read<T: DeserializeOwned>(call: &str, body: &[u8]) -> Result<T, super::VaultError> {
    serde_json::from_slice(body).map_err(|error| super::VaultError::BadAnswer {
        call: call.to_owned(),
        // `invalid type: string "..."` would repeat a value.
        message: format!("unexpected {:?} in line {}, column {}", error.classify(), error.line(), error.column()),
    })
}
