//! The JSON documents that commands print: a contract, with schemas in `docs/schema/`.

use crate::engine::{Outcome, PlannedChange, Requests, StepReport, Survey, UnknownStep};
use crate::error::{Failure, Kind};
use crate::install::cluster::magnum::retire::Retirement;
use crate::install::{ApplicationStatus, FileProblem, Switch};
use schemars::JsonSchema;
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunResult {
    /// Everything is as declared.
    Converged,
    /// Something differs that this run did not change.
    Pending,
    /// A step failed.
    Failed,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The kind, which decides the exit code.
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub help: Vec<String>,
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        Self { kind: failure.kind, message: failure.message.clone(), help: failure.help.clone() }
    }
}

/// What a command prints when it has nothing else to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailureDocument {
    /// Why.
    pub error: Problem,
}

/// `rsp-install --env E`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallDocument {
    /// The environment.
    pub environment: String,
    /// How it ended.
    pub result: RunResult,
    /// What was changed.
    pub changes: Vec<PlannedChange>,
    /// What differs and was left alone.
    pub pending: Vec<PlannedChange>,
    /// One a step.
    pub steps: Vec<StepReport>,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
    /// In a rebuild: the way from the old cluster to the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<Switch>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl InstallDocument {
    /// The same of a rebuild: it is done when the new cluster is the active one.
    #[must_use]
    pub fn with_switch(mut self, switch: Option<Switch>) -> Self {
        if self.result == RunResult::Converged && switch.as_ref().is_none_or(|switch| !switch.done) {
            self.result = RunResult::Pending;
        }
        self.switch = switch;
        self
    }

    /// From what a run did.
    pub fn new(environment: &str, outcome: &Outcome, requests: Requests, elapsed_seconds: f64) -> Self {
        let result = match (&outcome.failure, outcome.left_alone.is_empty()) {
            (Some(_), _) => RunResult::Failed,
            (None, true) => RunResult::Converged,
            (None, false) => RunResult::Pending,
        };
        Self {
            environment: environment.to_owned(),
            result,
            changes: outcome.changes.clone(),
            pending: outcome.left_alone.clone(),
            steps: outcome.steps.clone(),
            requests,
            elapsed_seconds,
            switch: None,
            error: outcome.failure.as_ref().map(Problem::from),
        }
    }
}

/// `rsp-install retire --env E`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetireDocument {
    /// The environment.
    pub environment: String,
    /// How it ended; `pending` after a dry run with something to do.
    pub result: RunResult,
    /// The cluster's UUID, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Services of type `LoadBalancer` that go first.
    pub load_balancers: Vec<String>,
    /// Claims that go first.
    pub claims: Vec<String>,
    /// Floating IPs that go last.
    pub floating_ips: Vec<String>,
    /// What is not touched.
    pub untouched: Vec<String>,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
}

impl RetireDocument {
    /// From what was planned.
    pub fn new(
        environment: &str,
        result: RunResult,
        planned: &Retirement,
        requests: Requests,
        elapsed_seconds: f64,
    ) -> Self {
        let planned = planned.clone();
        Self {
            environment: environment.to_owned(),
            result,
            cluster: planned.cluster.map(|(_, uuid)| uuid),
            load_balancers: planned.load_balancers,
            claims: planned.claims,
            floating_ips: planned.floating_ips,
            untouched: planned.untouched,
            requests,
            elapsed_seconds,
        }
    }
}

/// `plan --env E`, and `--dry-run`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// The environment.
    pub environment: String,
    /// `converged`, or `pending` when anything would change or is unknown.
    pub result: RunResult,
    /// What would be changed.
    pub changes: Vec<PlannedChange>,
    /// What differs and would be left alone.
    pub pending: Vec<PlannedChange>,
    /// What cannot be known yet.
    pub unknown: Vec<UnknownStep>,
    /// One a step.
    pub steps: Vec<StepReport>,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
}

impl PlanDocument {
    /// From what the steps found.
    pub fn new(environment: &str, survey: Survey, requests: Requests, elapsed_seconds: f64) -> Self {
        let converged = survey.is_converged() && survey.left_alone.is_empty();
        Self {
            environment: environment.to_owned(),
            result: if converged { RunResult::Converged } else { RunResult::Pending },
            changes: survey.changes,
            pending: survey.left_alone,
            unknown: survey.unknown,
            steps: survey.steps,
            requests,
            elapsed_seconds,
        }
    }
}

/// `validate --env E`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ValidateDocument {
    /// The environment.
    pub environment: String,
    /// What is wrong; empty when nothing is.
    pub problems: Vec<FileProblem>,
}

/// `status --env E`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument {
    /// The environment.
    pub environment: String,
    /// Where each step stands.
    pub steps: Vec<StepReport>,
    /// The Applications, sorted by name.
    pub applications: Vec<ApplicationStatus>,
    /// Whether a sync may start; nothing is decided yet in this version.
    pub gate: Option<String>,
}
