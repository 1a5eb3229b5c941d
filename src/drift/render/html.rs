//! For a browser: one file that needs no other.

use super::{changes, figures, headline, level, picture::picture, short};
use crate::drift::model::{Level, Report};
use handlebars::Handlebars;
use serde_json::json;

const PAGE: &str = include_str!("../../../templates/drift/report.html.hbs");

/// The report as a page. Everything of the report is escaped by the template; only the picture is drawn here.
pub fn html(report: &Report) -> Result<String, handlebars::RenderError> {
    let applications: Vec<_> = report
        .applications
        .iter()
        .map(|one| json!({"name": one.name, "changes": changes(one), "commits": one.relevant_commits, "report": one}))
        .collect();
    let signals: Vec<_> = report
        .signals
        .iter()
        .map(|signal| {
            let evidence: Vec<_> = signal
                .evidence
                .iter()
                .map(|one| json!({"text": one.text, "file": one.file, "commit": one.commit.as_deref().map(short)}))
                .collect();
            json!({
                "id": signal.id, "level": level(signal.level), "class": signal.level, "title": signal.title,
                "open": signal.level == Level::Stop, "evidence": evidence, "count": signal.evidence.len(),
            })
        })
        .collect();
    let steps: Vec<_> = report.steps.iter().map(|step| parts(&step.text)).collect();
    let data = json!({
        "steps": steps,
        "report": report,
        "headline": headline(report),
        "stop": report.signals.iter().any(|signal| signal.level == Level::Stop),
        "figures": figures(report),
        "signals": signals,
        "applications": applications,
        "picture": picture(&report.weeks),
        "fork": short(&report.fork.commit),
        "upstream": short(&report.upstream.commit),
    });
    let mut page = Handlebars::new();
    page.set_strict_mode(false);
    page.render_template(PAGE, &data)
}

/// A sentence with commands between backticks, taken apart.
fn parts(text: &str) -> Vec<serde_json::Value> {
    text.split('`').enumerate().map(|(at, part)| json!({"text": part, "code": at % 2 == 1})).collect()
}
