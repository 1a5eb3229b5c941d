//! For a browser: one file that needs no other.

use super::{changes, figures, headline, level, picture::picture, short, version};
use crate::drift::model::{Level, Report, SideReport, Signal};
use handlebars::Handlebars;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../templates/drift/report.html.hbs");

/// The report as a page. Everything of the report is escaped by the template; only the picture is drawn here.
pub fn html(report: &Report) -> Result<String, handlebars::RenderError> {
    let applications: Vec<_> = report
        .applications
        .iter()
        .map(|one| {
            let images: Vec<_> =
                one.image_tags.iter().map(|tag| json!({"name": tag.name, "change": version(&tag.change)})).collect();
            json!({
                "name": one.name, "changes": changes(one), "images": images, "commits": one.relevant_commits,
                "report": one,
            })
        })
        .collect();
    let (urgent, others): (Vec<&Signal>, Vec<&Signal>) =
        report.signals.iter().partition(|signal| signal.level == Level::Stop);
    let shown = |signals: Vec<&Signal>| -> Vec<Value> { signals.into_iter().map(entry).collect() };
    // A reference that is the commit itself says nothing more.
    let name = |side: &SideReport| (!side.commit.starts_with(&side.reference)).then(|| side.reference.clone());
    let steps: Vec<_> = report.steps.iter().map(|step| parts(&step.text)).collect();
    let data = json!({
        "steps": steps,
        "report": report,
        "headline": headline(report),
        "stop": !urgent.is_empty(),
        "figures": figures(report),
        "stops": shown(urgent),
        "signals": shown(others),
        "fork_ref": name(&report.fork),
        "upstream_ref": name(&report.upstream),
        "applications": applications,
        "picture": picture(&report.weeks),
        "fork": short(&report.fork.commit),
        "upstream": short(&report.upstream.commit),
    });
    let mut page = Handlebars::new();
    page.set_strict_mode(false);
    page.render_template(PAGE, &data)
}

/// A signal with its evidence; what stops is unfolded.
fn entry(signal: &Signal) -> Value {
    let evidence: Vec<_> = signal
        .evidence
        .iter()
        .map(|one| json!({"text": one.text, "file": one.file, "commit": one.commit.as_deref().map(short)}))
        .collect();
    json!({
        "id": signal.id, "level": level(signal.level), "class": signal.level, "title": signal.title,
        "open": signal.level == Level::Stop, "evidence": evidence, "count": signal.evidence.len(),
    })
}

/// A sentence with commands between backticks, taken apart.
fn parts(text: &str) -> Vec<Value> {
    text.split('`').enumerate().map(|(at, part)| json!({"text": part, "code": at % 2 == 1})).collect()
}
