//! `rsp-install drift`: what merging upstream into the fork means for this environment. Needs no cluster, and asks one
//! that is there what it runs.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::client::git::{Git, Location};
use crate::drift::{self, DriftError, Facts, Level, Report, Request, Side, render};
use crate::environment::Loaded;
use crate::error::{Failure, Kind};
use crate::install;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// What is compared with what.
#[derive(Args)]
pub struct DriftArgs {
    /// Another fork than the file's: a URL or path, and a branch, tag or commit.
    #[arg(long, value_name = "REPO@REF")]
    pub fork: Option<String>,
    /// Another upstream than the file's.
    #[arg(long, value_name = "REPO@REF")]
    pub upstream: Option<String>,
    /// How the report is printed, when not as JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Tell what is new since this report (what `--output json` printed then).
    #[arg(long, value_name = "REPORT.json")]
    pub since: Option<PathBuf>,
    /// Write the local patches that are worth sending upstream into this folder.
    #[arg(long, value_name = "DIR")]
    pub patches: Option<PathBuf>,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a pull request.
    Markdown,
    /// For a browser: one file that needs no other.
    Html,
}

/// Reports; ends with 3 while stop signals hold.
pub(super) async fn run(door: &Door, args: DriftArgs) -> Result<Answer, Failure> {
    let mut report = report(door, args.fork.as_deref(), args.upstream.as_deref(), None).await?;
    if let Some(file) = &args.since {
        let earlier = drift::read_report(&file.display().to_string(), &read(door, file)?)?;
        report.since = Some(drift::since(&earlier, &report));
    }
    if let Some(folder) = &args.patches {
        write_patches(&door.process.directory.join(folder), &report)?;
    }
    let text = match args.format {
        Format::Text => render::text(&report),
        Format::Markdown => render::markdown(&report),
        Format::Html => render::html(&report)
            .map_err(|error| Failure::new(Kind::Failed, format!("cannot render the report: {error}")))?,
    };
    let stops = report.signals.iter().any(|signal| signal.level == Level::Stop);
    Ok(Answer::done(&report, text)?.ending(stops.then_some(Kind::Pending)))
}

/// The report that the environment's file and these flags ask for; without `facts` the cluster is asked, if it can be
/// reached.
pub(super) async fn report(
    door: &Door,
    fork: Option<&str>,
    upstream: Option<&str>,
    facts: Option<Facts>,
) -> Result<Report, Failure> {
    let loaded = door.environment(&CheckoutArgs::default())?;
    let environment = &loaded.environment;
    let phalanx = environment.phalanx()?;
    let side = |given: Option<&str>, repository: String, reference: &str| match given {
        Some(text) => parse(text, reference),
        None => Side { repository, reference: reference.to_owned() },
    };
    let upstream = if let (None, Some(given)) = (&environment.upstream, upstream) {
        parse(given, "main")
    } else {
        let file = environment.upstream()?;
        side(upstream, beside(door, &loaded, &file.repository)?, &file.branch)
    };
    let request = Request {
        environment: phalanx.environment.clone(),
        aliases: environment.aliases.iter().map(ToString::to_string).collect(),
        former_names: phalanx.former_names.clone(),
        fork: side(fork, beside(door, &loaded, &phalanx.repository)?, &phalanx.branch),
        upstream,
        facts: match facts {
            Some(facts) => Some(facts),
            None => install::facts(&loaded, &door.process, &door.run).await,
        },
    };
    let git = Git::new(&door.process, door.run.outlet.events().clone());
    let report = tokio::task::spawn_blocking(move || drift::report(&git, &request)).await;
    let report = report.map_err(|error| Failure::new(Kind::Failed, format!("the comparison broke off: {error}")))?;
    Ok(report?)
}

/// A path in the file is relative to the file.
fn beside(door: &Door, loaded: &Loaded, repository: &str) -> Result<String, Failure> {
    Ok(match Location::parse(repository, &loaded.folder, door.process.home().as_deref())? {
        Location::Local(path) => path.display().to_string(),
        Location::Remote(url) => url,
    })
}

/// `REPO@REF`; a repository alone keeps the file's branch.
fn parse(text: &str, branch: &str) -> Side {
    let (repository, reference) = match text.rsplit_once('@') {
        Some((repository, reference)) if !repository.is_empty() && !reference.is_empty() => (repository, reference),
        _ => (text, branch),
    };
    Side { repository: repository.to_owned(), reference: reference.to_owned() }
}

/// Reads a file that the user named.
pub(super) fn read(door: &Door, file: &Path) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| DriftError::Input { file: file.display().to_string(), reason: error.to_string() };
    Ok(std::fs::read(door.process.directory.join(file)).map_err(failed)?)
}

/// One file a patch, as `git apply` takes them.
fn write_patches(folder: &Path, report: &Report) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Usage, format!("cannot write patches to {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for patch in report.local_patches.iter().filter(|patch| patch.worth_sending) {
        if let Some(text) = &patch.patch {
            std::fs::write(folder.join(format!("{}.patch", patch.path.replace('/', "-"))), text).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_follows_the_last_at_sign() {
        let side =
            |repository: &str, reference: &str| Side { repository: repository.into(), reference: reference.into() };
        assert_eq!(
            parse("https://github.com/lsst-uk/phalanx@u/x", "main"),
            side("https://github.com/lsst-uk/phalanx", "u/x")
        );
        assert_eq!(parse("../fork", "main"), side("../fork", "main"));
    }
}
