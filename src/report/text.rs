//! Results as text for people.

use super::documents::{InstallDocument, PlanDocument, RetireDocument, RunResult, StatusDocument, ValidateDocument};
use crate::engine::{PlannedChange, Requests, UnknownStep};
use crate::install::cluster::magnum::retire::Retirement;
use comfy_table::Table;
use std::fmt::Write as _;

/// A table without lines, as `kubectl` prints them.
fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header.iter().copied());
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    table.trim_fmt()
}

fn changes(title: &str, changes: &[PlannedChange]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let rows = changes.iter().map(|change| vec![change.step.clone(), change.action.clone(), change.object.clone()]);
    format!("{title}\n{}\n", table(&["STEP", "ACTION", "OBJECT"], rows))
}

fn unknown(steps: &[UnknownStep]) -> String {
    steps.iter().fold(String::new(), |mut text, UnknownStep { step, until }| {
        let _ = writeln!(text, "{step}: known after {until}");
        text
    })
}

fn asked(requests: &Requests) -> String {
    let of = |name: &str, counts: crate::engine::SystemRequests| format!("{name} {}/{}", counts.reads, counts.writes);
    let all = [("kubernetes", requests.kubernetes), ("vault", requests.vault), ("openstack", requests.openstack)];
    let seen: Vec<String> = all
        .iter()
        .filter(|(_, counts)| counts.reads + counts.writes > 0)
        .map(|(name, counts)| of(name, *counts))
        .collect();
    if seen.is_empty() { String::from("none") } else { seen.join(", ") }
}

/// What an installation did.
pub fn install(document: &InstallDocument) -> String {
    let mut text = changes("Changed:", &document.changes);
    text += &changes("Differs, and was left alone:", &document.pending);
    let verdict = match document.result {
        RunResult::Converged if document.changes.is_empty() => "is as declared; nothing was written",
        RunResult::Converged => "is as declared",
        RunResult::Pending => "has changes waiting",
        RunResult::Failed => "is not done; it is safe to run again",
    };
    let (name, seconds) = (&document.environment, document.elapsed_seconds);
    let _ = writeln!(text, "{name} {verdict} ({seconds:.1} s; requests, reads/writes: {})", asked(&document.requests));
    text
}

/// What a rebuild did, and what people do next.
pub fn rebuild(document: &InstallDocument, generation: u32) -> String {
    let mut text = install(document);
    let Some(switch) = &document.switch else { return text };
    let name = &document.environment;
    if switch.done {
        let _ =
            writeln!(text, "cluster {generation} of {name} is the active one; next: rsp-install retire --env {name}");
        return text;
    }
    let _ = writeln!(text, "cluster {generation} of {name} is ready, and waits beside the active one. Now:");
    for (at, line) in switch.checklist.iter().enumerate() {
        let _ = writeln!(text, "  {}. {line}", at + 1);
    }
    if let Some(patch) = &switch.patch {
        let _ = writeln!(text, "\nThe patch:\n{patch}");
    }
    text
}

/// What an installation would do.
pub fn plan(document: &PlanDocument) -> String {
    let mut text = changes("Would change:", &document.changes);
    text += &changes("Differs, and would be left alone:", &document.pending);
    text += &unknown(&document.unknown);
    let _ = match document.result {
        RunResult::Converged => writeln!(text, "{}: nothing to do", document.environment),
        _ => writeln!(text, "Do it with: rsp-install --env {}", document.environment),
    };
    text
}

/// What a retirement takes away, and what it leaves.
pub fn retirement(planned: &Retirement) -> String {
    let Some((name, uuid)) = &planned.cluster else { return String::new() };
    let mut text = format!("Goes: cluster {name} ({uuid})\n");
    let goes =
        [("Service", &planned.load_balancers), ("claim", &planned.claims), ("floating IP", &planned.floating_ips)];
    for (kind, names) in goes {
        text.extend(names.iter().map(|name| format!("Goes: {kind} {name}\n")));
    }
    text.extend(planned.untouched.iter().map(|name| format!("Stays: {name}\n")));
    text
}

/// What a retirement did.
pub fn retired(document: &RetireDocument) -> String {
    let environment = &document.environment;
    match (&document.cluster, document.result) {
        (None, _) => format!("{environment}: there is no cluster\n"),
        (Some(uuid), RunResult::Pending) => format!(
            "Would delete cluster {uuid}. Do it with: rsp-install retire --env {environment} --confirm {environment}\n"
        ),
        (Some(uuid), _) => format!("{environment}: cluster {uuid} is gone\n"),
    }
}

/// What is wrong with a file.
pub fn validate(document: &ValidateDocument) -> String {
    if document.problems.is_empty() {
        return format!("{}: no problems\n", document.environment);
    }
    document.problems.iter().fold(String::new(), |mut text, problem| {
        let place = if problem.line == 0 { String::new() } else { format!(":{}:{}", problem.line, problem.column) };
        let _ = writeln!(text, "{}{place}: {}", problem.file, problem.message);
        if !problem.hint.is_empty() {
            let _ = writeln!(text, "  help: {}", problem.hint);
        }
        text
    })
}

/// Where everything stands.
pub fn status(document: &StatusDocument) -> String {
    let steps = document.steps.iter().map(|step| {
        let status = serde_json::to_value(step.status).ok().and_then(|value| value.as_str().map(str::to_owned));
        vec![step.name.clone(), status.unwrap_or_default()]
    });
    let applications = document.applications.iter().map(|application| {
        let revision = application.revision.get(..9).unwrap_or(&application.revision).to_owned();
        let (name, project) = (application.name.clone(), application.project.clone());
        vec![name, project, application.sync.clone(), application.health.clone(), revision]
    });
    let mut text = format!("{}\n", table(&["STEP", "STATUS"], steps));
    if !document.applications.is_empty() {
        let header = ["APPLICATION", "PROJECT", "SYNC", "HEALTH", "REVISION"];
        let _ = write!(text, "\n{}\n", table(&header, applications));
    }
    text
}
