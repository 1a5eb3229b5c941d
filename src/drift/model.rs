//! The report: a contract, with its schema in `docs/schema/drift.json`.

use super::facts::Facts;
use crate::client::git::ConflictKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What merging upstream into the fork means for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "rsp-install drift")]
pub struct Report {
    /// The fork.
    pub fork: SideReport,
    /// What it follows.
    pub upstream: SideReport,
    /// Where they parted: the first merge base in the order of ids; null when the histories are unrelated.
    pub merge_base: Option<CommitReport>,
    /// All best common ancestors.
    pub merge_bases: Vec<String>,
    /// Commits of the fork only.
    pub ahead: usize,
    /// Commits of upstream only.
    pub behind: usize,
    /// The same without merges.
    pub ahead_without_merges: usize,
    /// The same without merges.
    pub behind_without_merges: usize,
    /// Files that the fork changed since the merge base.
    pub files_changed_fork: usize,
    /// Files that upstream changed since the merge base.
    pub files_changed_upstream: usize,
    /// Files that both changed, alike or not.
    pub files_changed_both: Vec<String>,
    /// Files that a person must merge.
    pub conflicts: Vec<Conflict>,
    /// Files of this environment that the fork changed.
    pub environment_files: Vec<String>,
    /// Changes of the fork outside its environments' files, whose content still differs from upstream.
    pub local_patches: Vec<LocalPatch>,
    /// Upstream's commits, merges apart, that touch what an enabled application of this environment uses, or which
    /// applications are on.
    pub relevant_commits: usize,
    /// Upstream's commits, merges apart, that touch this environment's own values and secrets of enabled applications.
    #[serde(default)]
    pub own_files_commits: usize,
    /// Files that upstream changed and that an enabled application of this environment uses, or that say which
    /// applications are on.
    pub relevant_files: usize,
    /// Applications that are enabled here, or would be after the merge.
    pub applications: Vec<ApplicationReport>,
    /// Applications that upstream has and the base had not.
    pub applications_added: Vec<String>,
    /// Applications that the base had and upstream has not.
    pub applications_removed: Vec<String>,
    /// Applications that the merge would turn on here.
    pub newly_default: Vec<String>,
    /// Secrets of enabled applications that the merge would add or remove.
    pub secrets: SecretChanges,
    /// Files that Argo CD will look for after the merge and not find.
    pub missing_values_files: Vec<String>,
    /// The environment itself.
    pub environment: EnvironmentReport,
    /// What was known of the cluster; versions are compared with what is deployed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Facts>,
    /// The oldest Kubernetes that upstream says it works on.
    pub lowest_kubernetes: Option<String>,
    /// What to watch out for, most serious first.
    pub signals: Vec<Signal>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Upstream's commits by week, for the picture.
    pub weeks: Vec<Week>,
    /// Files that could not be read; nothing is known of them.
    pub unreadable: Vec<Unreadable>,
    /// What is new since an earlier report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SideReport {
    /// A path or URL.
    pub repository: String,
    /// The branch, tag or commit that was asked for.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit.
    pub commit: String,
    /// When it was committed, RFC 3339.
    pub date: String,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitReport {
    /// Its id.
    pub commit: String,
    /// When it was committed, RFC 3339.
    pub date: String,
}

/// A file that a person must merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The file.
    pub path: String,
    /// Why.
    pub kind: ConflictKind,
}

/// A change of the fork to shared files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalPatch {
    /// The file.
    pub path: String,
    /// `added`, `modified` or `deleted`, since the merge base.
    pub change: FileStatus,
    /// Whether upstream left the file alone, so that the patch applies there as it is.
    pub applies_upstream: bool,
    /// Whether it is worth sending upstream: a change to a shared chart, template or tool that applies there.
    pub worth_sending: bool,
    /// The patch against upstream, in unified form; null for what is not text.
    pub patch: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// An application that is enabled here, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationReport {
    /// Its name.
    pub name: String,
    /// Whether it is enabled on the fork today.
    pub enabled: bool,
    /// Whether upstream has no such application any more.
    pub removed_upstream: bool,
    /// The version of its own chart.
    pub chart: Option<VersionChange>,
    /// The version of what it installs.
    pub app_version: Option<VersionChange>,
    /// Charts it needs whose version or repository changes.
    pub dependencies: Vec<NamedVersionChange>,
    /// Image tags in its values, and in those of charts beside it.
    pub image_tags: Vec<NamedVersionChange>,
    /// Keys of its values that are gone.
    pub values_removed: Vec<String>,
    /// Keys of its values that are new.
    pub values_added: Vec<String>,
    /// Settings of this environment that the chart knew and does not know any more.
    pub stale_overrides: Vec<StaleOverride>,
    /// Settings of this environment for charts from elsewhere: Git cannot tell whether those still know them.
    pub uncheckable_overrides: usize,
    /// Files in its folder that upstream changed.
    pub files_changed: usize,
    /// Files in charts beside it that it needs and that upstream changed.
    pub shared_files_changed: usize,
    /// Upstream's commits, merges apart, that touch what it uses.
    pub relevant_commits: usize,
    /// Its templates that changed, with those of charts beside it.
    pub templates_changed: usize,
    /// Custom resource definitions that changed.
    pub crds_changed: Vec<String>,
    /// Kinds of objects that appear or disappear, immutable fields that change, jobs, renamed secrets.
    pub objects: Vec<ObjectChange>,
    /// Its namespace, where it changes.
    pub namespace: Option<TextChange>,
    /// Its Argo CD project, where it changes.
    pub project: Option<TextChange>,
}

/// A version before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionChange {
    /// Before; null when it is new.
    pub from: Option<String>,
    /// After; null when it is gone.
    pub to: Option<String>,
    /// How far apart they are.
    pub bump: Bump,
    /// Whether it goes backwards.
    pub downgrade: bool,
}

/// A version of something, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedVersionChange {
    /// Of what: a chart, or the path of a key.
    pub name: String,
    /// The versions.
    #[serde(flatten)]
    pub change: VersionChange,
}

/// How far two versions are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Bump {
    /// The same version.
    None,
    /// The third number.
    Patch,
    /// The second number.
    Minor,
    /// The first number.
    Major,
    /// Dates rather than versions.
    Calver,
    /// The same version from another repository.
    Repository,
    /// Neither versions nor dates.
    Other,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

/// A text before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextChange {
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// A setting that the chart knew and does not know any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaleOverride {
    /// Its path, joined by dots.
    pub path: String,
    /// The file that sets it.
    pub file: String,
    /// The line there.
    pub line: u64,
    /// Why it is unknown: the key that is missing, or the chart that is gone.
    pub reason: String,
    /// Whether the merge takes the setting out by itself.
    pub resolved_by_merge: bool,
}

/// Something about the objects that an application makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// What changes.
    pub kind: ObjectChangeKind,
    /// The template.
    pub file: String,
    /// In words.
    pub text: String,
}

/// What changes about objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectChangeKind {
    /// A workload becomes another kind of workload.
    KindSwitch,
    /// A field changes that Kubernetes does not let change.
    ImmutableField,
    /// A job that is no hook changes its pods.
    Job,
    /// A Secret, `VaultSecret` or `ConfigMap` gets another name.
    Renamed,
}

/// Secrets that the merge would add or remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretChanges {
    /// New ones.
    pub added: Vec<SecretChange>,
    /// Gone ones.
    pub removed: Vec<SecretChange>,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SecretChange {
    /// The application.
    pub application: String,
    /// The key.
    pub key: String,
    /// Whether somebody must supply it: it is neither generated, copied nor fixed.
    #[serde(rename = "static")]
    pub is_static: bool,
}

/// What happens to the environment itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentReport {
    /// Its name on the fork.
    pub name: String,
    /// Whether the fork has it.
    pub in_fork: bool,
    /// Whether upstream has it, by this name.
    pub in_upstream: bool,
    /// What upstream calls it now.
    pub renamed_to: Option<String>,
    /// Why we think so: `fqdn`, `alias` or `formerName`.
    pub renamed_by: Option<String>,
    /// Changes of upstream to this environment's own files.
    pub changes: Vec<EnvironmentChange>,
    /// Vault server and path, addresses, storage classes and file servers that differ between base and merge,
    /// whoever changed them.
    pub moves: Vec<EnvironmentChange>,
    /// The Vault server after the merge.
    pub vault_url: Option<String>,
    /// Where the secrets lie there after the merge.
    pub vault_path_prefix: Option<String>,
}

/// A value of the environment's own files that upstream changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentChange {
    /// The file.
    pub file: String,
    /// The key, joined by dots; empty for a file that is added or deleted as a whole.
    pub key: String,
    /// At the merge base.
    pub from: Option<String>,
    /// Upstream.
    pub to: Option<String>,
    /// On the fork.
    pub fork: Option<String>,
}

/// How serious a signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Do not merge before it is dealt with.
    Stop,
    /// It changes where things are: think of a rebuild.
    Rebuild,
    /// In place, with a procedure.
    Procedure,
    /// Worth knowing.
    Warn,
}

/// Something to watch out for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Its stable id.
    pub id: String,
    /// How serious it is.
    pub level: Level,
    /// What it is, in a sentence.
    pub title: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

/// What shows a signal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// In words.
    pub text: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Evidence {
    /// Words about a file.
    pub fn file(text: impl Into<String>, file: impl Into<String>) -> Self {
        Self { text: text.into(), file: Some(file.into()), commit: None }
    }

    /// Words about a commit.
    pub fn commit(text: impl Into<String>, commit: impl Into<String>) -> Self {
        Self { text: text.into(), file: None, commit: Some(commit.into()) }
    }

    /// Words alone.
    pub fn words(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What.
    pub text: String,
    /// The signal that asks for it; none for what is always to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// Upstream's commits of one week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Week {
    /// Its Monday.
    pub monday: String,
    /// Commits, merges apart.
    pub commits: usize,
    /// Those that touch what this environment uses.
    pub relevant: usize,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unreadable {
    /// `base`, `fork`, `upstream`, `merge` or `deployed`.
    pub side: String,
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// What is new since an earlier report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// Upstream's commit then.
    pub upstream: String,
    /// The fork's commit then.
    pub fork: String,
    /// Signals that did not hold then, or hold for other reasons: `id: evidence`.
    pub new_signals: Vec<String>,
    /// Signals that held then and do not now.
    pub gone_signals: Vec<String>,
    /// Conflicts that were not there then.
    pub new_conflicts: Vec<String>,
    /// Secrets that were not asked for then: `application/key`.
    pub new_secrets: Vec<String>,
    /// How many more commits upstream is ahead.
    pub behind: i64,
}
