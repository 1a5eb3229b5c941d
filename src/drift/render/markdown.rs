//! For a pull request.

use super::{bump, changes, figures, headline, level, short, version};
use crate::drift::model::{Evidence, Report};
use std::fmt::Write as _;

/// The report as Markdown; long parts are folded.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("## {}: {}\n\n", escape(&report.environment.name), headline(report));
    for signal in &report.signals {
        let _ = writeln!(out, "- **{}** {} (`{}`)", level(signal.level), escape(&signal.title), signal.id);
        for one in &signal.evidence {
            let _ = writeln!(out, "  - {}", evidence(one));
        }
    }
    let _ = writeln!(out, "\n### Steps\n");
    for (at, step) in report.steps.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", at + 1, step.text);
    }
    let _ = writeln!(out, "\n### Figures\n");
    for line in figures(report) {
        let _ = writeln!(out, "- {line}");
    }
    if !report.conflicts.is_empty() {
        let _ = writeln!(out, "\n### Conflicts\n\n| file | kind |\n|---|---|");
        for conflict in &report.conflicts {
            let _ = writeln!(out, "| `{}` | {} |", cell(&conflict.path), conflict.kind);
        }
    }
    folded(&mut out, "Applications", &applications(report));
    folded(&mut out, "Secrets", &secrets(report));
    folded(&mut out, "Local patches", &patches(report));
    folded(&mut out, "Files that could not be read", &unreadable(report));
    let _ = writeln!(out, "\nfork `{}`, upstream `{}`", short(&report.fork.commit), short(&report.upstream.commit));
    out
}

fn folded(out: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = writeln!(out, "\n<details><summary>{title}</summary>\n\n{body}\n</details>");
    }
}

fn applications(report: &Report) -> String {
    let mut out = String::from("| application | changes | relevant commits |\n|---|---|---|\n");
    for application in &report.applications {
        let lines = changes(application).join("; ");
        let _ = writeln!(out, "| {} | {} | {} |", cell(&application.name), cell(&lines), application.relevant_commits);
    }
    for application in &report.applications {
        for tag in &application.image_tags {
            let _ = writeln!(
                out,
                "\n{}: `{}` {} ({})",
                application.name,
                tag.name,
                version(&tag.change),
                bump(&tag.change)
            );
        }
    }
    out
}

fn secrets(report: &Report) -> String {
    let mut out = String::new();
    for (word, secrets) in [("new", &report.secrets.added), ("superfluous", &report.secrets.removed)] {
        for secret in secrets {
            let kind = if secret.is_static { ", **must be supplied**" } else { "" };
            let _ = writeln!(out, "- {word}: `{}/{}`{kind}", secret.application, secret.key);
        }
    }
    out
}

fn patches(report: &Report) -> String {
    let mut out = String::new();
    for patch in &report.local_patches {
        let word = if patch.worth_sending { ", worth sending upstream" } else { "" };
        let _ = writeln!(out, "- `{}`{word}", patch.path);
    }
    out
}

fn unreadable(report: &Report) -> String {
    let mut out = String::new();
    for file in &report.unreadable {
        let _ = writeln!(out, "- {}: `{}`: {}", file.side, file.file, escape(&file.reason));
    }
    out
}

fn evidence(one: &Evidence) -> String {
    let mut line = escape(&one.text);
    if let Some(file) = &one.file {
        let _ = write!(line, " `{file}`");
    }
    if let Some(commit) = &one.commit {
        let _ = write!(line, " {commit}");
    }
    line
}

/// Text of others must not become markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '|' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// Text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_does_not_become_markup() {
        assert_eq!(escape("a *b* <i>|x\ny"), "a \\*b\\* &lt;i&gt;\\|x y");
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
