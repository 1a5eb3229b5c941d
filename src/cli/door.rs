//! What every command gets: the process, the global flags, the stream of events, the way out.

use super::flags::{CheckoutArgs, GlobalArgs};
use crate::engine::{Counters, Deadline, Event, Events, Outlet, Run, Sink};
use crate::environment::{EnvironmentError, Library, Loaded};
use crate::error::{Failure, Kind};
use crate::install::{Answers, Options, Site};
use crate::process::Process;
use crate::report::documents::{InstallDocument, RunResult};
use crate::report::{Bars, JsonLines, Lines};
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What a command prints and how it ends.
pub struct Answer {
    /// For `--output json`.
    pub document: serde_json::Value,
    /// For people.
    pub text: String,
    /// The exit code.
    pub exit: u8,
    /// Told on standard error after the text.
    pub failure: Option<Failure>,
}

impl Answer {
    /// A good answer.
    pub fn done(document: &impl serde::Serialize, text: String) -> Result<Self, Failure> {
        let document = serde_json::to_value(document)
            .map_err(|error| Failure::new(Kind::Failed, format!("cannot write the result as JSON: {error}")))?;
        Ok(Self { document, text, exit: 0, failure: None })
    }

    /// The end of a run: its failure, what it left pending, or a good one.
    pub fn of_run(document: &InstallDocument, text: String, failure: Option<Failure>) -> Result<Self, Failure> {
        let answer = Self::done(document, text)?;
        Ok(match failure {
            Some(failure) => Self { exit: failure.kind.exit_code(), failure: Some(failure), ..answer },
            None if document.result == RunResult::Pending => answer.ending(Some(Kind::Pending)),
            None => answer,
        })
    }

    /// The same answer with another end.
    #[must_use]
    pub fn ending(mut self, kind: Option<Kind>) -> Self {
        self.exit = kind.map_or(0, Kind::exit_code);
        self
    }
}

/// What every command gets.
pub struct Door {
    /// Environment variables, directories, clock.
    pub process: Process,
    /// Flags of every command.
    pub global: GlobalArgs,
    /// The way out and the deadline.
    pub run: Run,
    /// When the command began.
    pub begun: Instant,
}

impl Door {
    /// Opens the event sinks that the flags ask for.
    pub fn open(process: Process, global: GlobalArgs) -> Result<Self, Failure> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        let to_stderr = global.events.as_deref() == Some(Path::new("-"));
        if !to_stderr {
            let terminal = std::io::stderr().is_terminal();
            sinks.push(if terminal {
                Box::new(Bars::new(global.verbose))
            } else {
                Box::new(Lines::new(global.verbose))
            });
        }
        if let Some(path) = &global.events {
            let out: Box<dyn std::io::Write + Send> = if to_stderr {
                Box::new(std::io::stderr())
            } else {
                Box::new(std::fs::File::create(path).map_err(|error| {
                    Failure::new(Kind::Usage, format!("cannot write events to {}: {error}", path.display()))
                })?)
            };
            sinks.push(Box::new(JsonLines::new(out, process.now)));
        }
        let kill_at = match process.variable("RSP_INSTALL_KILL_AT").map(str::parse) {
            Some(Err(message)) => return Err(Failure::new(Kind::Usage, format!("RSP_INSTALL_KILL_AT: {message}"))),
            Some(Ok(checkpoint)) => Some(checkpoint),
            None => None,
        };
        let outlet = Outlet::new(Events::new(sinks), Counters::default(), kill_at);
        let run = Run { outlet, deadline: Deadline::after(global.timeout) };
        Ok(Self { process, global, run, begun: Instant::now() })
    }

    /// The environment that `--env` names, with the flags of `checkout` in the place of the file's words.
    pub fn environment(&self, checkout: &CheckoutArgs) -> Result<Loaded, Failure> {
        let Some(name) = &self.global.env else {
            return Err(Failure::new(Kind::Usage, "no environment is named").help("add --env NAME"));
        };
        let mut loaded = Library::new(self.process.directory.join(&self.global.environments)).load(name)?;
        if let Some(phalanx) = &mut loaded.environment.phalanx {
            if let Some(repository) = &checkout.repository {
                phalanx.repository = self.absolute(repository);
            }
            if let Some(branch) = &checkout.branch {
                phalanx.branch.clone_from(branch);
            }
            if let Some(environment) = &checkout.phalanx_environment {
                phalanx.environment.clone_from(environment);
            }
        }
        Ok(loaded)
    }

    /// The place of a command.
    pub async fn site(&self, checkout: &CheckoutArgs, options: Options) -> Result<Arc<Site>, Failure> {
        self.open_site(self.environment(checkout)?, options).await
    }

    /// The place of an installation: its file must really be there.
    pub async fn real_site(&self, checkout: &CheckoutArgs, options: Options) -> Result<Arc<Site>, Failure> {
        let loaded = self.environment(checkout)?;
        if loaded.built_in {
            let name = loaded.environment.name.to_string();
            return Err(EnvironmentError::BuiltInOnly { name }.into());
        }
        self.open_site(loaded, options).await
    }

    async fn open_site(&self, loaded: Loaded, options: Options) -> Result<Arc<Site>, Failure> {
        Site::open(loaded, self.process.clone(), self.run.clone(), options).await
    }

    /// A path given on the command line is relative to the working directory, one in the file to the file.
    fn absolute(&self, repository: &str) -> String {
        let path = self.process.directory.join(repository);
        if !repository.contains("://") && path.exists() { path.display().to_string() } else { repository.to_owned() }
    }

    /// Who answers questions.
    pub fn answers(&self) -> Answers {
        match (self.global.yes, self.process.interactive) {
            (true, _) => Answers::Yes,
            (false, true) => Answers::Terminal,
            (false, false) => Answers::Nobody,
        }
    }

    /// Tells that a command begins on an environment.
    pub fn tell_start(&self, environment: &str, command: &str) {
        let (environment, command) = (environment.to_owned(), command.to_owned());
        self.run.outlet.events().tell(Event::RunStarted { environment, command });
    }

    /// Tells how it ended.
    pub fn tell_end(&self, result: RunResult) {
        let result = match result {
            RunResult::Converged => "converged",
            RunResult::Pending => "pending",
            RunResult::Failed => "failed",
        };
        let elapsed_seconds = self.elapsed();
        self.run.outlet.events().tell(Event::RunFinished { result: result.to_owned(), elapsed_seconds });
    }

    /// How long the command has taken, seconds.
    pub fn elapsed(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}
