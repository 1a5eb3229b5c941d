//! What to watch out for: each signal has a stable id, a level and evidence. The rules are in `docs/drift.md`; none of
//! them counts commits or looks at dates.

mod history;
mod objects;
mod values;
mod versions;

use super::edits::Edit;
use super::error::DriftError;
use super::model::{ApplicationReport, EnvironmentReport, Evidence, Level, SecretChanges, Signal};
use super::relevance::{Relevance, Uses};
use super::view::View;

/// What the signals are read from.
pub(crate) struct Material<'a> {
    /// The four sides.
    pub(crate) view: &'a View<'a>,
    /// The environment.
    pub(crate) environment: &'a EnvironmentReport,
    /// The applications.
    pub(crate) applications: &'a [ApplicationReport],
    /// What they use.
    pub(crate) uses: &'a [Uses],
    /// Which commits touch that.
    pub(crate) relevance: &'a Relevance,
    /// What upstream edited for single environments.
    pub(crate) edits: &'a [Edit],
    /// Secrets that come and go.
    pub(crate) secrets: &'a SecretChanges,
    /// Files that would be missing.
    pub(crate) missing: &'a [String],
}

/// All signals that hold, most serious first; within a level in the order in which they are looked for.
pub(crate) fn signals(material: &Material<'_>) -> Result<Vec<Signal>, DriftError> {
    let mut found = Vec::new();
    found.extend(history::signals(material)?);
    found.extend(values::signals(material)?);
    found.extend(versions::signals(material)?);
    found.extend(objects::signals(material));
    found.sort_by_key(|signal| signal.level);
    Ok(found)
}

/// A signal, if there is evidence for it.
fn signal(id: &str, level: Level, title: &str, evidence: Vec<Evidence>) -> Option<Signal> {
    let signal = Signal { id: id.to_owned(), level, title: title.to_owned(), evidence };
    (!signal.evidence.is_empty()).then_some(signal)
}

impl Material<'_> {
    /// The newest of upstream's commits that touches an application, for evidence.
    fn commit_of(&self, application: &str) -> Option<String> {
        let at = self.uses.iter().position(|uses| uses.application == application)?;
        let place = self.relevance.newest(at)?;
        Some(self.view.compared.history.nodes[place].id.to_string())
    }
}
