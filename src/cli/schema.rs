//! `rsp-install schema`: the JSON schema of an environment file.

use super::Answer;
use crate::error::Failure;

/// Prints it, in both forms of output.
pub(super) fn run() -> Result<Answer, Failure> {
    let schema = crate::environment::schema();
    Answer::done(&schema, format!("{:#}\n", schema.as_value()))
}
