//! Which files belong to an environment, by their names alone.

/// Whether a path belongs to the environment: `values-ENV.yaml`, `secrets-ENV.yaml`, any file with `-ENV.` in its name,
/// or anything in a folder of that name.
pub fn belongs_to(path: &str, environment: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    folders.split('/').any(|folder| folder == environment)
        || file
            .match_indices(environment)
            .any(|(at, _)| file[..at].ends_with('-') && file[at + environment.len()..].starts_with('.'))
}

/// The name in `environments/values-NAME.yaml`.
pub(crate) fn environment_of(path: &str) -> Option<&str> {
    path.strip_prefix("environments/values-")?.strip_suffix(".yaml").filter(|name| !name.contains('/'))
}

/// The environment in `values-NAME.yaml` or `secrets-NAME.yaml` of an application, if the file is one.
pub(crate) fn values_environment(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".yaml")?;
    stem.strip_prefix("values-").or_else(|| stem.strip_prefix("secrets-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_environment_are_known_by_folder_or_name() {
        for path in [
            "applications/tap/values-roe.yaml",
            "applications/tap/secrets-roe.yaml",
            "docs/environments/roe/index.rst",
            "src/phalanx/data/vault-read-policy-roe.hcl.jinja",
            "applications/squareone/content/roe/docs.mdx",
        ] {
            assert!(belongs_to(path, "roe"), "{path}");
        }
        for path in [
            "applications/tap/values-roelike.yaml",
            "docs/zroe.rst",
            "roe.yaml",
            "docs/environments/roe",
            "a/values-usdf-roe",
        ] {
            assert!(!belongs_to(path, "roe"), "{path}");
        }
        assert_eq!(environment_of("environments/values-roe.yaml"), Some("roe"));
        assert_eq!(environment_of("environments/values.yaml"), None);
        assert_eq!(values_environment("values-idfdev.yaml"), Some("idfdev"));
        assert_eq!(values_environment("values.yaml"), None);
    }
}
