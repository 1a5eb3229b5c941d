//! Conflicts of server-side apply: who owns which field.

use super::error::KubernetesError;
use super::kinds::object_name;
use kube::api::DynamicObject;
use kube::core::Status;

/// A refusal, as a conflict if it is one.
pub(super) fn apply_error(wanted: &DynamicObject, error: kube::Error) -> KubernetesError {
    let object = object_name(wanted);
    if let kube::Error::Api(status) = &error
        && let Some(conflict) = conflict_in(status, &object)
    {
        return conflict;
    }
    KubernetesError::from_client(object, error)
}

/// The conflict in an answer to a server-side apply, if that is what it is.
fn conflict_in(status: &Status, object: &str) -> Option<KubernetesError> {
    let causes = &status.details.as_ref()?.causes;
    let conflicts: Vec<_> = causes.iter().filter(|cause| cause.reason == "FieldManagerConflict").collect();
    let first = conflicts.first()?;
    // The server's words are: conflict with "kubectl-edit" using v1
    let manager = first.message.split('"').nth(1).unwrap_or(&first.message).to_owned();
    let fields = conflicts.iter().map(|cause| cause.field.as_str()).collect::<Vec<_>>().join(", ");
    let fields =
        if conflicts.len() == 1 { format!("the field {fields} is") } else { format!("the fields {fields} are") };
    Some(KubernetesError::Conflict { object: object.to_owned(), manager, fields })
}
