//! Whether an object already is as we want it, without asking the server.
//!
//! A yes is certain. A no is not: the server may write a quantity or a default differently. Whoever gets a no asks the
//! server with a dry run.

use serde_json::Value;

/// Whether everything that `wanted` says is so in `live`; what `live` has beyond it does not matter.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted
            .iter()
            .all(|(key, value)| live.get(key).map_or_else(|| is_nothing(value), |live| covers(live, value))),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| covers(live, wanted))
        }
        (wanted, live) => wanted == live || (is_nothing(wanted) && is_nothing(live)),
    }
}

/// Null and empty collections are dropped by the server.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_nothing),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_adds_does_not_matter() {
        let live = json!({"spec": {"replicas": 1, "strategy": {"type": "Recreate"}}, "status": {}});
        assert!(covers(&live, &json!({"spec": {"replicas": 1}})));
        assert!(!covers(&live, &json!({"spec": {"replicas": 2}})));
        assert!(!covers(&live, &json!({"spec": {"paused": false}})));
    }

    #[test]
    fn items_of_a_list_may_have_defaults_but_none_more_or_less() {
        let live = json!({"ports": [{"port": 80, "protocol": "TCP"}]});
        assert!(covers(&live, &json!({"ports": [{"port": 80}]})));
        assert!(!covers(&live, &json!({"ports": []})));
        assert!(!covers(&live, &json!({"ports": [{"port": 80}, {"port": 81}]})));
    }

    #[test]
    fn nothing_is_the_same_as_null_and_empty() {
        let live = json!({"spec": {}});
        assert!(covers(&live, &json!({"spec": {"a": null, "b": {}, "c": [], "d": {"e": null}}})));
        assert!(!covers(&live, &json!({"spec": {"a": false}})));
    }
}
