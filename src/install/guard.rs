//! What stands before the first write: is this the right cluster, may we, and does nobody else?

use super::error::InstallError;
use super::marker::{Marker, NAMESPACE, Standing};
use super::site::{Contact, Site};
use crate::client::kubernetes::HeldLease;
use crate::engine::{Guard, PlannedChange, Run};
use crate::environment::Cluster as Declared;
use crate::error::{Failure, Kind};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Who answers questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// A person at the terminal.
    Terminal,
    /// Every question is answered with yes (`--yes`).
    Yes,
    /// Nobody.
    Nobody,
}

/// The lease's name in our namespace.
const LEASE: &str = "run";

/// The guard of the main job.
pub struct ClusterGuard {
    site: Arc<Site>,
    answers: Answers,
    /// What an unmarked cluster becomes.
    standing: Standing,
    lease: Mutex<Option<HeldLease>>,
}

impl ClusterGuard {
    /// A guard that asks whoever answers.
    pub fn new(site: Arc<Site>, answers: Answers) -> Self {
        Self { site, answers, standing: Standing::Active, lease: Mutex::default() }
    }

    /// A guard of a cluster that a rebuild makes beside the active one.
    pub(super) fn of_successor(site: Arc<Site>, answers: Answers) -> Self {
        Self { standing: Standing::Successor, ..Self::new(site, answers) }
    }

    /// Gives the lease back, if it was taken.
    pub async fn close(&self) -> Result<(), Failure> {
        match self.lease.lock().await.take() {
            Some(lease) => Ok(lease.release().await?),
            None => Ok(()),
        }
    }

    async fn admit_once(&self, run: &Run) -> Result<(), Failure> {
        let mut lease = self.lease.lock().await;
        if lease.is_some() {
            return Ok(());
        }
        // Before there is a cluster there is nothing to guard; the step that makes it has its own mark.
        let Some(contact) = self.site.contact().await? else { return Ok(()) };
        if contact.marker.is_none() {
            self.first_contact(&contact).await?;
        }
        *lease = Some(contact.cluster.take_lease(NAMESPACE, LEASE, run.deadline).await?);
        self.site.look_again().await;
        Ok(())
    }

    /// Nobody has marked this cluster yet: make sure that it is meant, and mark it.
    async fn first_contact(&self, contact: &Contact) -> Result<(), Failure> {
        let source = self.site.source().await?;
        let server = &contact.identity.server;
        let declared = self.site.loaded.environment.cluster()?;
        let snapshot = self.site.snapshot().await?;
        if let Some(snapshot) = &snapshot
            && snapshot.applications().await?.contains_key(source.parent())
        {
            let application = source.parent().to_owned();
            return Err(InstallError::ForeignInstallation { server: server.clone(), application }.into());
        }
        // What we made ourselves is ours from its first byte: there is nothing to be asked.
        let made_by_us = match (declared, self.site.magnum()) {
            (Declared::Sandbox(_), _) => true,
            (_, Some(magnum)) => magnum.is_ours(&self.site.run).await?,
            _ => false,
        };
        if !made_by_us {
            let question = format!("Install {} ({}) on {server}?", self.site.name(), source.environment.fqdn);
            self.answers.ask(question).await?;
        }
        let fqdn = source.environment.fqdn.clone();
        let (environment, generation) = (self.site.name().to_owned(), self.site.generation);
        let marker = Marker { environment, fqdn, generation, standing: self.standing };
        marker.write(&contact.cluster).await?;
        self.site.forget_contact().await;
        Ok(())
    }
}

impl Answers {
    /// Asks; an error unless the answer is yes.
    pub(super) async fn ask(self, question: String) -> Result<(), Failure> {
        match self {
            Self::Yes => return Ok(()),
            Self::Nobody => return Err(InstallError::Unanswered { question, flag: "--yes" }.into()),
            Self::Terminal => {}
        }
        let asked = tokio::task::spawn_blocking(move || inquire::Confirm::new(&question).with_default(false).prompt());
        let answer = asked.await.map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        if answer.unwrap_or(false) { Ok(()) } else { Err(InstallError::Refused.into()) }
    }
}

impl Guard for ClusterGuard {
    fn admit<'a>(&'a self, _planned: &'a [PlannedChange], run: &'a Run) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.admit_once(run))
    }
}
