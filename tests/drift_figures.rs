//! The figures on clones of the real repositories, against what was measured with plain Git.
//!
//! `RSP_INSTALL_PHALANX_UPSTREAM` and `RSP_INSTALL_PHALANX_FORK` name the clones; without them these tests say so and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing helper is a failing test")]

mod drift_common;

use drift_common::{Clones, cases, text};
use rsp_install::drift::{Comparison, belongs_to};
use serde_json::Value;

#[test]
fn the_shared_pairs_are_exact() {
    let (Some(clones), Some(cases)) = (Clones::find(), cases()) else { return };
    for case in cases["pairs"].as_array().unwrap() {
        let id = text(&case["id"]);
        let begun = std::time::Instant::now();
        let compared = if id.starts_with("P04") {
            // The case's fork commit was made for it: a root commit with the tree of the fork's main branch.
            clones.compare_unrelated(&text(&case["upstream"]), "fbd899770abf42cbe17e5afa74abb557157e82be")
        } else {
            clones.compare(&text(&case["fork"]), &text(&case["upstream"]))
        };
        eprintln!("{id}: {:?}", begun.elapsed());
        check(&id, &compared, case);
    }
}

fn check(id: &str, compared: &Comparison, case: &Value) {
    let count = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
    let history = &compared.history;
    assert_eq!(history.ahead.len(), count("ahead"), "{id} ahead");
    assert_eq!(history.behind.len(), count("behind"), "{id} behind");
    assert_eq!(history.ahead.len() - compared.merges(&history.ahead), count("ahead_no_merges"), "{id}");
    assert_eq!(history.behind.len() - compared.merges(&history.behind), count("behind_no_merges"), "{id}");
    let bases: Vec<String> = history.merge_bases.iter().map(ToString::to_string).collect();
    assert_eq!(bases, texts(&case["merge_bases"]), "{id} merge bases");
    assert_eq!(compared.upstream_changes.len(), count("files_changed_upstream"), "{id} files upstream");
    assert_eq!(compared.fork_changes.len(), count("files_changed_fork"), "{id} files fork");
    let both = compared.changed_by_both();
    assert_eq!(both.len(), count("both_changed"), "{id} both");
    if case["both_changed_files"].is_array() {
        assert_eq!(both, texts(&case["both_changed_files"]), "{id} both");
    }
    let conflicts: serde_json::Map<String, Value> =
        compared.merge.conflicts.iter().map(|(path, kind)| (path.clone(), kind.to_string().into())).collect();
    assert_eq!(Value::Object(conflicts), case["conflicts_without_renames"], "{id} conflicts");
    if case["merge_exit"] == 0 {
        assert_eq!(compared.merge.tree.to_string(), text(&case["merge_tree"]), "{id} merged tree");
    }
    for (environment, files) in case["env_files_by_env"].as_object().unwrap() {
        let ours: Vec<String> =
            compared.fork_changes.keys().filter(|path| belongs_to(path, environment)).cloned().collect();
        assert_eq!(ours, texts(files), "{id} files of {environment}");
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}
