//! The templates of a `VaultSecret`, as far as phalanx uses them: Go's template language between `{%` and `%}`, with
//! field access, `index`, and the trimming of white space. Anything else is an error, as a function that the operator
//! does not know is.

use crate::secret_value::SecretValue;
use std::collections::BTreeMap;

/// What a template can see.
pub(super) struct View<'a> {
    /// `.Secrets`
    pub secrets: &'a BTreeMap<String, SecretValue>,
    /// `.Vault.Path`
    pub path: &'a str,
    /// `.Namespace`
    pub namespace: &'a str,
}

/// Fills in a template.
pub(super) fn render(template: &str, view: &View<'_>) -> Result<SecretValue, String> {
    let (mut out, mut rest) = (String::new(), template);
    while let Some((text, after)) = rest.split_once("{%") {
        let (action, after) = after.split_once("%}").ok_or("template ERROR: unclosed action")?;
        let (trim_before, action) = action.strip_prefix("- ").map_or((false, action), |action| (true, action));
        let (trim_after, action) = action.strip_suffix(" -").map_or((false, action), |action| (true, action));
        out.push_str(if trim_before { text.trim_end() } else { text });
        out.push_str(&value(action.trim(), view)?);
        rest = if trim_after { after.trim_start() } else { after };
    }
    out.push_str(rest);
    Ok(SecretValue::new(out))
}

fn value(action: &str, view: &View<'_>) -> Result<String, String> {
    let unknown = || format!("template ERROR: the sandbox's stand-in does not know {action:?}");
    let secret = |key: &str| match view.secrets.get(key) {
        Some(value) => value.expose().to_owned(),
        // What Go prints for a key that a map of texts does not have.
        None => String::from("<no value>"),
    };
    match action {
        ".Vault.Path" => return Ok(view.path.to_owned()),
        ".Namespace" => return Ok(view.namespace.to_owned()),
        _ => {}
    }
    if let Some(key) = action.strip_prefix(".Secrets.") {
        let regular = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        return if regular { Ok(secret(key)) } else { Err(unknown()) };
    }
    let key = action.strip_prefix("index .Secrets ").map(str::trim);
    let quoted = |key: &'_ str| {
        ['"', '`'].into_iter().find_map(|quote| Some(key.strip_prefix(quote)?.strip_suffix(quote)?.to_owned()))
    };
    match key.and_then(quoted).filter(|key| !key.contains(['"', '`', '\\'])) {
        // `index` gives the empty text where field access says that there is no value.
        Some(key) => Ok(view.secrets.get(&key).map(|value| value.expose().to_owned()).unwrap_or_default()),
        None => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> Result<String, String> {
        let secrets = BTreeMap::from([
            ("password".to_owned(), SecretValue::new("p%}w")),
            ("proxy-token".to_owned(), SecretValue::new("t")),
        ]);
        let view = View { secrets: &secrets, path: "secret/phalanx/x/app", namespace: "app" };
        render(template, &view).map(|value| value.expose().to_owned())
    }

    #[test]
    fn secrets_are_found_by_field_and_by_index() {
        let url = "postgresql://u:{% .Secrets.password %}@{% .Namespace %}/{% index .Secrets \"proxy-token\" %}";
        assert_eq!(rendered(url).unwrap(), "postgresql://u:p%}w@app/t");
        assert_eq!(rendered("a {%- .Secrets.password -%} b").unwrap(), "ap%}wb");
        assert_eq!(rendered("{% .Vault.Path %}").unwrap(), "secret/phalanx/x/app");
    }

    #[test]
    fn a_function_that_is_not_known_fails_instead_of_making_a_wrong_secret() {
        assert!(rendered("{% .Secrets.password | b64enc %}").unwrap_err().contains("b64enc"));
        assert!(rendered("{% .Secrets.password").is_err());
        assert!(rendered("{% .Secrets.proxy-token %}").is_err());
    }
}
