//! The templates that are built into the program, rendered with Handlebars.
//!
//! Strict: a name that the data lacks is an error. Nothing is escaped: what is made is YAML and text, not HTML.

use handlebars::{Handlebars, RenderError, handlebars_helper, no_escape};
use rust_embed::RustEmbed;
use serde::Serialize;
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Files;

handlebars_helper!(quote: |value: Json| serde_json::to_string(value).unwrap_or_default());

static TEMPLATES: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(no_escape);
    templates.register_helper("quote", Box::new(quote));
    // A template that does not parse is missing then, which rendering says by name; a test renders all.
    let _ = templates.register_embed_templates_with_extension::<Files>(".hbs");
    templates
});

/// Renders `templates/NAME.hbs`.
pub(crate) fn render(name: &str, data: &impl Serialize) -> Result<String, RenderError> {
    TEMPLATES.render(name, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        let missing: Vec<_> = Files::iter()
            .filter_map(|file| Some(file.strip_suffix(".hbs")?.to_owned()))
            .filter(|name| !TEMPLATES.has_template(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
