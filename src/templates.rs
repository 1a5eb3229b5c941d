//! The templates that are built into the program, rendered with Handlebars.
//!
//! Strict: a name that the data lacks is an error. Nothing is escaped: what is made is YAML and text, not HTML.

use handlebars::{Handlebars, RenderError, RenderErrorReason, handlebars_helper, no_escape};
use rust_embed::RustEmbed;
use serde::Serialize;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Files;

handlebars_helper!(quote: |value: Json| serde_json::to_string(value).unwrap_or_default());

/// Renders `templates/NAME.hbs`. Only that one is parsed: the others would cost every run milliseconds.
pub(crate) fn render(name: &str, data: &impl Serialize) -> Result<String, RenderError> {
    let missing = || RenderErrorReason::TemplateNotFound(name.to_owned());
    let file = Files::get(&format!("{name}.hbs")).ok_or_else(missing)?;
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(no_escape);
    templates.register_helper("quote", Box::new(quote));
    templates.render_template(&String::from_utf8_lossy(&file.data), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        for name in Files::iter() {
            let text = Files::get(&name).unwrap().data;
            handlebars::Template::compile(std::str::from_utf8(&text).unwrap()).unwrap();
        }
        assert!(Files::iter().count() >= 2);
    }

    #[test]
    fn a_template_that_is_not_there_is_named() {
        assert!(render("nothing.yaml", &()).unwrap_err().to_string().contains("nothing.yaml"));
    }
}
