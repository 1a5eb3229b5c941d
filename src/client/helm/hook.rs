//! Helm's hooks: objects that are not part of a release but run before or after it.

use kube::ResourceExt as _;
use kube::api::DynamicObject;

/// When a hook runs. Others (test, rollback, delete) are of no interest to an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEvent {
    /// Before the objects of the release.
    PreInstall,
    /// After them.
    PostInstall,
}

/// An object that is a hook.
#[derive(Debug, Clone)]
pub struct Hook {
    /// When.
    pub event: HookEvent,
    /// Lighter ones come first.
    pub weight: i64,
    /// Whether it is deleted when it has succeeded.
    pub delete_when_done: bool,
    /// What is applied.
    pub object: DynamicObject,
}

const EVENT: &str = "helm.sh/hook";

impl Hook {
    /// Whether the object is a hook of any kind.
    pub fn is_one(object: &DynamicObject) -> bool {
        object.annotations().contains_key(EVENT)
    }

    /// The hook that the object is at an installation, if it is one.
    pub fn of(object: &DynamicObject) -> Option<Self> {
        let annotations = object.annotations();
        let event = annotations.get(EVENT)?.split(',').find_map(|event| match event.trim() {
            "pre-install" => Some(HookEvent::PreInstall),
            "post-install" => Some(HookEvent::PostInstall),
            _ => None,
        })?;
        let weight = annotations.get("helm.sh/hook-weight").and_then(|weight| weight.parse().ok()).unwrap_or(0);
        let policy = annotations.get("helm.sh/hook-delete-policy").map(String::as_str).unwrap_or_default();
        Some(Self { event, weight, delete_when_done: policy.contains("hook-succeeded"), object: object.clone() })
    }
}
