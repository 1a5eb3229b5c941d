//! Runs a list of steps: finds all differences at once, then, if there are any, goes through the steps in order.
//!
//! Nothing is written before the [`Guard`] agreed, and what was found before it agreed counts no longer: every step
//! observes again. A step is done when planning again gives nothing.

use super::event::{Event, StepStatus};
use super::step::{AnyStep, Described, Finding, Run};
use crate::error::{Failure, Kind};
use futures::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Instant;

/// How often a step may plan again after its own changes. One round makes what was planned, the second what only
/// then became visible (an object that a controller made); a third means that two parties undo each other's work.
const ROUNDS: usize = 3;

/// Stands before the first write: asks whether it may happen, and keeps others out while it does.
pub trait Guard: Send + Sync {
    /// Agrees, or says why not. `planned` is what the run has found so far. Called before each step that has changes;
    /// only the first call has work to do once the guarded place exists.
    fn admit<'a>(&'a self, planned: &'a [PlannedChange], run: &'a Run) -> BoxFuture<'a, Result<(), Failure>>;
}

/// A change of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlannedChange {
    /// The step.
    pub step: String,
    /// What is done.
    pub action: String,
    /// To what.
    pub object: String,
}

/// A step whose changes are not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnknownStep {
    /// The step.
    pub step: String,
    /// Until what.
    pub until: String,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// How.
    pub status: StepStatus,
    /// Wall time, seconds.
    pub seconds: f64,
}

/// What all steps found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Differences, in the order of the steps.
    pub changes: Vec<PlannedChange>,
    /// Differences that are not this run's to change.
    pub left_alone: Vec<PlannedChange>,
    /// Steps that cannot be planned yet.
    pub unknown: Vec<UnknownStep>,
    /// One a step.
    pub steps: Vec<StepReport>,
    /// What is wrong although nothing is left to change: the first of it.
    pub verdict: Option<Failure>,
}

impl Survey {
    /// Whether there is nothing to do and nothing unknown.
    pub fn is_converged(&self) -> bool {
        self.changes.is_empty() && self.unknown.is_empty()
    }

    /// Tells what would be changed.
    pub fn tell(&self, run: &Run) {
        for PlannedChange { step, action, object } in self.changes.iter().cloned() {
            run.outlet.events().tell(Event::ChangePlanned { step, action, object });
        }
    }
}

/// Observes and plans all steps, together: a converged environment costs the time of its slowest step.
pub async fn survey(steps: &[Box<dyn AnyStep>], run: &Run) -> Result<Survey, Failure> {
    let findings = join_all(steps.iter().map(|step| async {
        let begun = Instant::now();
        (step.name(), step.find(run).await, begun.elapsed().as_secs_f64())
    }));
    let mut survey = Survey::default();
    for (name, finding, seconds) in findings.await {
        let status = match finding? {
            Finding::Differences { changes, left_alone, verdict } => {
                let status = match (changes.is_empty() && left_alone.is_empty(), &verdict) {
                    (true, Some(_)) => StepStatus::Failed,
                    (true, None) => StepStatus::Converged,
                    _ => StepStatus::Pending,
                };
                survey.verdict = survey.verdict.or(verdict);
                survey.changes.extend(changes.into_iter().map(|change| planned(name, change)));
                survey.left_alone.extend(left_alone.into_iter().map(|change| planned(name, change)));
                status
            }
            Finding::Unknown { until } => {
                survey.unknown.push(UnknownStep { step: name.to_owned(), until });
                StepStatus::Unknown
            }
            Finding::Skipped { .. } => StepStatus::Skipped,
        };
        survey.steps.push(StepReport { name: name.to_owned(), status, seconds });
    }
    Ok(survey)
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Changes that were made.
    pub changes: Vec<PlannedChange>,
    /// Differences that are not this run's to change.
    pub left_alone: Vec<PlannedChange>,
    /// One a step; the last one is the failed one when there is a failure.
    pub steps: Vec<StepReport>,
    /// Why the run stopped early.
    pub failure: Option<Failure>,
}

/// Makes all steps so, after a [`survey`] of them.
pub async fn converge(
    before: Result<Survey, Failure>,
    steps: &[Box<dyn AnyStep>],
    guard: &dyn Guard,
    run: &Run,
) -> Outcome {
    let before = match before {
        Ok(survey) => survey,
        Err(failure) => return Outcome { failure: Some(failure), ..Outcome::default() },
    };
    before.tell(run);
    if before.is_converged() {
        let Survey { steps, left_alone, verdict: failure, .. } = before;
        return Outcome { left_alone, steps, failure, ..Outcome::default() };
    }
    let mut outcome = Outcome::default();
    for step in steps {
        let begun = Instant::now();
        run.outlet.events().tell(Event::StepStarted { step: step.name().to_owned() });
        let status = match drive(step.as_ref(), guard, &before, run, &mut outcome).await {
            Ok(status) => status,
            Err(failure) => {
                outcome.failure = Some(failure);
                StepStatus::Failed
            }
        };
        let (name, seconds) = (step.name().to_owned(), begun.elapsed().as_secs_f64());
        run.outlet.events().tell(Event::StepFinished { step: name.clone(), status, seconds });
        outcome.steps.push(StepReport { name, status, seconds });
        if outcome.failure.is_some() {
            break;
        }
    }
    outcome
}

/// One step, until planning gives nothing.
async fn drive(
    step: &dyn AnyStep,
    guard: &dyn Guard,
    before: &Survey,
    run: &Run,
    outcome: &mut Outcome,
) -> Result<StepStatus, Failure> {
    let mut status = StepStatus::Converged;
    for round in 0..=ROUNDS {
        let (changes, left_alone, verdict) = match step.find(run).await? {
            Finding::Differences { changes, left_alone, verdict } => (changes, left_alone, verdict),
            Finding::Skipped { .. } => return Ok(StepStatus::Skipped),
            Finding::Unknown { until } => {
                let message = format!("step {} still waits until {until}", step.name());
                return Err(Failure::new(Kind::Failed, message));
            }
        };
        if changes.is_empty() {
            if !left_alone.is_empty() {
                status = StepStatus::Pending;
            }
            outcome.left_alone.extend(left_alone.into_iter().map(|change| planned(step.name(), change)));
            return verdict.map_or(Ok(status), Err);
        }
        if round == ROUNDS {
            return Err(never_converges(step.name(), &changes));
        }
        guard.admit(&before.changes, run).await?;
        let made = step.change(run).await?;
        outcome.changes.extend(made.into_iter().map(|change| planned(step.name(), change)));
        status = StepStatus::Changed;
    }
    Ok(status)
}

fn never_converges(step: &str, changes: &[Described]) -> Failure {
    let list: Vec<String> = changes.iter().map(|change| format!("{} {}", change.action, change.object)).collect();
    let message = format!("step {step} does not converge: after {ROUNDS} rounds it still wants to {}", list.join(", "));
    Failure::new(Kind::Failed, message)
        .help("somebody else changes the same object; `rsp-install plan` shows the difference")
}

fn planned(step: &str, change: Described) -> PlannedChange {
    PlannedChange { step: step.to_owned(), action: change.action, object: change.object }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Deadline, Intent, Observation, Outlet, Step, System};
    use super::*;
    use crate::engine::Describe;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Wants every name to be present in a shared list; with `forgetful`, what it writes is gone again at once.
    struct Names<'a> {
        wanted: Vec<&'static str>,
        present: &'a Mutex<Vec<&'static str>>,
        forgetful: bool,
        until: Option<&'static str>,
    }

    struct Add(&'static str);
    impl Describe for Add {
        fn describe(&self) -> Described {
            Described::new("create", self.0)
        }
    }

    impl Step for Names<'_> {
        type Observed = Vec<&'static str>;
        type Change = Add;

        fn name(&self) -> &'static str {
            "names"
        }

        async fn observe(&self, _run: &Run) -> Result<Observation<Self::Observed>, Failure> {
            let present = self.present.lock().unwrap().clone();
            match self.until {
                Some(until) if !present.contains(&until) => Ok(Observation::Unknown { until: until.to_owned() }),
                _ => Ok(Observation::Known(present)),
            }
        }

        fn plan(&self, observed: &Self::Observed) -> Result<Vec<Add>, Failure> {
            Ok(self.wanted.iter().filter(|name| !observed.contains(name)).map(|name| Add(name)).collect())
        }

        async fn apply(&self, change: &Add, run: &Run) -> Result<(), Failure> {
            let intent = Intent::new(System::Kubernetes, Action::Create, change.0);
            run.outlet
                .write(intent, async {
                    if !self.forgetful {
                        self.present.lock().unwrap().push(change.0);
                    }
                    Ok::<_, String>(())
                })
                .await
                .map_err(|message| Failure::new(Kind::Failed, message))
        }
    }

    struct Door(AtomicUsize, bool);
    impl Guard for Door {
        fn admit<'a>(&'a self, _planned: &'a [PlannedChange], _run: &'a Run) -> BoxFuture<'a, Result<(), Failure>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let answer = if self.1 { Ok(()) } else { Err(Failure::new(Kind::Held, "held")) };
            Box::pin(async move { answer })
        }
    }

    fn run() -> Run {
        Run { outlet: Outlet::default(), deadline: Deadline::after(Duration::from_secs(1)) }
    }

    fn names<'a>(wanted: &[&'static str], present: &'a Mutex<Vec<&'static str>>) -> Names<'a> {
        Names { wanted: wanted.to_vec(), present, forgetful: false, until: None }
    }

    async fn converge_names(list: Vec<Names<'static>>, door: &Door) -> (Outcome, u64) {
        let steps: Vec<Box<dyn AnyStep>> = list.into_iter().map(|step| Box::new(step) as Box<dyn AnyStep>).collect();
        let run = run();
        (converge(survey(&steps, &run).await, &steps, door, &run).await, run.outlet.writes())
    }

    fn shared() -> &'static Mutex<Vec<&'static str>> {
        Box::leak(Box::default())
    }

    #[tokio::test]
    async fn a_second_run_writes_nothing_and_does_not_ask_the_guard() {
        let present = shared();
        let door = Door(AtomicUsize::new(0), true);
        let (first, writes) = converge_names(vec![names(&["a", "b"], present)], &door).await;
        assert_eq!((first.changes.len(), writes), (2, 2));
        let asked = door.0.load(Ordering::Relaxed);
        let (second, writes) = converge_names(vec![names(&["a", "b"], present)], &door).await;
        assert_eq!((second.changes.len(), writes, door.0.load(Ordering::Relaxed)), (0, 0, asked));
        assert_eq!(second.steps[0].status, StepStatus::Converged);
    }

    #[tokio::test]
    async fn a_guard_that_refuses_stops_before_the_first_write() {
        let (outcome, writes) = converge_names(vec![names(&["a"], shared())], &Door(AtomicUsize::new(0), false)).await;
        assert_eq!((outcome.failure.map(|failure| failure.kind), writes), (Some(Kind::Held), 0));
    }

    #[tokio::test]
    async fn a_change_that_never_stays_is_an_error_that_names_it() {
        let step = Names { forgetful: true, ..names(&["a"], shared()) };
        let (outcome, _) = converge_names(vec![step], &Door(AtomicUsize::new(0), true)).await;
        assert!(outcome.failure.unwrap().message.contains("still wants to create a"));
    }

    #[tokio::test]
    async fn what_depends_on_an_earlier_step_is_unknown_in_the_plan_and_done_in_the_run() {
        let present = shared();
        let later = || Names { until: Some("a"), ..names(&["b"], present) };
        let steps: Vec<Box<dyn AnyStep>> = vec![Box::new(names(&["a"], present)), Box::new(later())];
        let plan = survey(&steps, &run()).await.unwrap();
        assert_eq!(plan.unknown, [UnknownStep { step: "names".into(), until: "a".into() }]);
        let (outcome, _) =
            converge_names(vec![names(&["a"], present), later()], &Door(AtomicUsize::new(0), true)).await;
        assert_eq!(outcome.failure, None);
        assert_eq!(*present.lock().unwrap(), ["a", "b"]);
    }
}
