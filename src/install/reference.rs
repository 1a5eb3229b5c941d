//! Whether an environment file and everything that it names fit together, without asking a cluster or Vault.

use super::source::Source;
use crate::engine::Events;
use crate::environment::{Cluster, Loaded};
use crate::error::Failure;
use crate::process::Process;
use schemars::JsonSchema;
use serde::Serialize;

/// One thing that is wrong with an environment file or what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileProblem {
    /// The file.
    pub file: String,
    /// From 1; 0 when the problem has no line.
    pub line: usize,
    /// From 1; 0 when the problem has no column.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// All problems that can be found.
pub async fn problems(loaded: &Loaded, process: &Process, events: &Events) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    let environment = &loaded.environment;
    for missing in [environment.policy().err(), environment.cluster().err()].into_iter().flatten() {
        problems.push(problem_of(&missing.into(), &loaded.file));
    }
    if let Some(Cluster::Magnum(magnum)) = &environment.cluster
        && magnum.masters.is_multiple_of(2)
    {
        problems.push(FileProblem {
            message: format!("{} masters cannot agree on a leader; etcd needs an odd number", magnum.masters),
            ..at(&loaded.file)
        });
    }
    match Source::open(loaded, process, events.clone()).await {
        Err(failure) => problems.push(problem_of(&failure, &loaded.file)),
        Ok(source) => {
            for application in &source.environment.applications {
                if let Err(error) = source.checkout.value_nodes(&application.name, &source.environment.name) {
                    problems.push(problem_of(&error.into(), &loaded.file));
                }
            }
        }
    }
    problems
}

fn at(file: &str) -> FileProblem {
    FileProblem { file: file.to_owned(), line: 0, column: 0, message: String::new(), hint: String::new() }
}

/// A failure as a problem of a file. Messages that begin with `file:line:column:` give their place.
pub fn problem_of(failure: &Failure, file: &str) -> FileProblem {
    let hint = failure.help.join(" ");
    let mut parts = failure.message.splitn(4, ':');
    if let (Some(place), Some(line), Some(column), Some(message)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && let (Ok(line), Ok(column)) = (line.parse(), column.parse())
    {
        return FileProblem { file: place.to_owned(), line, column, message: message.trim().to_owned(), hint };
    }
    FileProblem { message: failure.message.clone(), hint, ..at(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_message_with_a_place_becomes_a_problem_at_that_place() {
        let failure = Failure::new(Kind::Invalid, "environments/x.yaml:3:7: unknown key").help("look");
        let problem = problem_of(&failure, "other");
        assert_eq!((problem.file.as_str(), problem.line, problem.column), ("environments/x.yaml", 3, 7));
        assert_eq!((problem.message.as_str(), problem.hint.as_str()), ("unknown key", "look"));
        assert_eq!(problem_of(&Failure::new(Kind::Invalid, "no: place"), "f").file, "f");
    }
}
