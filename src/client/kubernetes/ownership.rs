//! Which fields we own although we no longer want them: the server's `managedFields` against the wanted object.
//!
//! Only what is left over matters here: a field that we want and do not own yet is a difference in its value, or none.

use serde_json::{Map, Value};

/// Fields that `manager` owns by server-side apply and that the wanted object, given as its metadata and the rest of it,
/// no longer has; as dotted paths.
pub(super) fn left_over(live: &Value, (metadata, rest): (&Value, &Value), manager: &str) -> Vec<String> {
    let mut found = Vec::new();
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let ours = entry["manager"] == manager && entry["operation"] == "Apply" && entry.get("subresource").is_none();
        if let (true, Some(fields)) = (ours, entry["fieldsV1"].as_object()) {
            for (key, below) in fields {
                let Some(field) = key.strip_prefix("f:") else { continue };
                let wanted = if field == "metadata" { Some(metadata) } else { rest.get(field) };
                look(below, wanted, format!(".{field}"), &mut found);
            }
        }
    }
    found
}

/// Goes down the owned fields beside the wanted value.
fn walk(owned: &Map<String, Value>, wanted: &Value, path: &str, found: &mut Vec<String>) {
    for (key, below) in owned.iter().filter(|(key, _)| *key != ".") {
        let (step, next) = match key.split_once(':') {
            Some(("f", field)) => (format!(".{field}"), wanted.get(field)),
            Some(("k", keys)) => (format!("[{keys}]"), item_with_keys(wanted, keys)),
            Some(("v", value)) => (format!("[{value}]"), item_equal_to(wanted, value)),
            _ => continue,
        };
        look(below, next, format!("{path}{step}"), found);
    }
}

/// One owned field; a leaf without a wanted value is left over.
fn look(below: &Value, wanted: Option<&Value>, path: String, found: &mut Vec<String>) {
    match (wanted, below.as_object()) {
        (None | Some(Value::Null), _) => found.push(path),
        (Some(wanted), Some(below)) => walk(below, wanted, &path, found),
        (Some(_), None) => {}
    }
}

/// The item of a list whose keys are these; a key that the item does not name was defaulted by the server.
fn item_with_keys<'a>(list: &'a Value, keys: &str) -> Option<&'a Value> {
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    let matches = |item: &&Value| keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value));
    list.as_array()?.iter().find(matches)
}

fn item_equal_to<'a>(list: &'a Value, value: &str) -> Option<&'a Value> {
    let value: Value = serde_json::from_str(value).ok()?;
    list.as_array()?.iter().find(|item| **item == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(fields: &Value) -> Value {
        json!({"metadata": {"managedFields": [
            {"manager": "rsp-install", "operation": "Apply", "fieldsV1": fields},
            {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:data": {"f:theirs": {}}}},
            {"manager": "rsp-install", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]}})
    }

    #[test]
    fn a_field_that_is_no_longer_wanted_is_left_over() {
        let live = live(&json!({"f:metadata": {"f:labels": {"f:c": {}}}, "f:data": {".": {}, "f:a": {}, "f:b": {}}}));
        let left = |wanted: &Value| left_over(&live, (&json!({"name": "x"}), wanted), "rsp-install");
        assert_eq!(left(&json!({"data": {"a": "1"}})), [".metadata.labels", ".data.b"]);
        assert_eq!(left(&json!({"data": {"a": "1", "b": ""}})), [".metadata.labels"]);
    }

    #[test]
    fn items_of_lists_are_found_by_their_keys_and_values() {
        let fields = json!({"f:ports": {
            "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}},
            "k:{\"port\":81,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}},
        }, "f:finalizers": {"v:\"keep\"": {}, "v:\"drop\"": {}}});
        let wanted = json!({"ports": [{"port": 80, "name": "http"}], "finalizers": ["keep"]});
        let left = left_over(&live(&fields), (&json!({}), &wanted), "rsp-install");
        assert_eq!(left, [".ports[{\"port\":81,\"protocol\":\"TCP\"}]", ".finalizers[\"drop\"]"]);
    }
}
