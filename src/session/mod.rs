//! A run as a task in the ledger: admitted before its tool runs, and ended before anything is said.

mod credentials;
mod recorder;
pub(crate) mod store;

pub(crate) use credentials::{Credentials, Sources, providers};
pub(crate) use recorder::Recorder;

use crate::commands::tools::Tool;
use crate::output::{self, OurFault, RunReport, Verdict};
use crate::places::Places;
use crate::signals::Ended;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use writ_broker::authority::{self, Authority, Refused, Run, RunEnd, Stop};
use writ_broker::clock::{Clock, SystemClock, UnixMillis};
use writ_broker::event::{CallStarted, Event, Owner, TaskEnd, TaskStarted};
use writ_broker::id::{CallId, HostId, RANDOM_BYTES, TaskId};
use writ_broker::process::{POKE, Process};
use writ_broker::{Grant, codes};
use writ_runtime::outcome::LimitName;
use writ_runtime::wire::{Fault, Invoke};

/// How long to wait before the ledger is followed again after it could not be read.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a run waits at its end for its credentials to be revoked upstream.
const PATIENCE: Duration = Duration::from_secs(5);

/// The names of one run, which nobody can guess and nobody uses again.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) host: HostId,
    pub(crate) task: TaskId,
    pub(crate) call: CallId,
}

impl Names {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            host: HostId::from_random(random()?),
            task: TaskId::from_random(random()?),
            call: CallId::from_random(random()?),
        })
    }
}

fn random() -> Result<[u8; RANDOM_BYTES]> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).context(OurFault("no randomness"))?;
    Ok(random)
}

/// The user of this machine on whose behalf everything here happens.
pub(crate) fn user() -> Owner {
    Owner::User { uid: rustix::process::getuid().as_raw() }
}

/// Opens the ledger and replays it, beside whatever else there is to do.
pub(crate) async fn open(places: &Places) -> Result<Authority> {
    let places = places.clone();
    let opened = spawn_blocking(move || {
        let ledger = places.open_ledger()?;
        Authority::open(ledger, Arc::new(SystemClock)).map_err(|error| fault(&error.into()))
    });
    Ok(opened.await.context(OurFault("the ledger was not opened"))??)
}

/// Says that something was not recorded.
pub(crate) fn fault(refused: &Refused) -> Fault {
    let code = match refused {
        Refused::NotNow(_) => codes::NOT_LIVE,
        _ => codes::LEDGER,
    };
    Fault::new(code, refused.to_string())
}

/// A task that lives.
pub(crate) struct Session {
    authority: Arc<Authority>,
    names: Names,
    /// The task begins and ends with the call.
    own: bool,
    /// Hears of kills until it is dropped.
    following: JoinHandle<()>,
}

/// What is said of a call when it starts.
pub(crate) struct Begin<'a> {
    /// The task, if it begins with the call.
    pub(crate) task: Option<TaskStarted>,
    pub(crate) tool: &'a Tool,
    pub(crate) invoke: &'a Invoke,
}

/// What the ledger says of a task that starts with this process.
pub(crate) fn task(
    names: &Names,
    parent: Option<TaskId>,
    grant: &Grant,
    deadline: Option<UnixMillis>,
    labels: &[(String, String)],
) -> TaskStarted {
    TaskStarted {
        task: names.task.clone(),
        parent,
        host: Some(names.host.clone()),
        owner: user(),
        labels: labels.iter().cloned().collect(),
        deadline,
        grant: grant.to_record(),
    }
}

/// Finds a task that waits for calls: its grant for what is left of its time, those above it, and its
/// deadline.
pub(crate) async fn waiting(
    authority: &Authority,
    places: &Places,
    task: &TaskId,
) -> Result<(Grant, Vec<TaskId>, Option<UnixMillis>)> {
    let (found, ancestry) =
        authority.task(task.clone()).await.map_err(|refused| fault(&refused))?;
    let mut grant = store::load(places, task)?;
    let left = found.deadline.map(|deadline| deadline.saturating_since(SystemClock.now()));
    grant.ttl = left.or(grant.ttl);
    Ok((grant, ancestry, found.deadline))
}

/// When a task ends that starts now.
pub(crate) fn deadline(grant: &Grant) -> Option<UnixMillis> {
    grant.ttl.and_then(|ttl| SystemClock.now().checked_add(ttl))
}

impl Session {
    /// Admits the task. When this returns, the ledger has it.
    pub(crate) async fn start(
        authority: Arc<Authority>,
        names: Names,
        begin: Begin<'_>,
    ) -> Result<(Self, Watch)> {
        let run = Run {
            process: Process::current().context(OurFault("this process cannot be named"))?,
            task: begin.task,
            call: CallStarted {
                task: names.task.clone(),
                call: names.call.clone(),
                host: names.host.clone(),
                tool: begin.tool.name.clone(),
                digest: begin.tool.digest_text(),
                function: match begin.invoke {
                    Invoke::Command { .. } => None,
                    Invoke::Function { name, .. } => Some(name.clone()),
                },
            },
        };
        let own = run.task.is_some();
        let mut poked = signal(SignalKind::from_raw(POKE.as_raw()))
            .context(OurFault("no signals can be heard"))?;
        let watch = Watch(authority.start_run(run).await.map_err(|refused| fault(&refused))?);
        let following = tokio::spawn({
            let authority = Arc::clone(&authority);
            async move {
                loop {
                    tokio::select! {
                        Some(()) = poked.recv() => authority.look(),
                        // Nothing new can leave the machine meanwhile: that needs the ledger as well.
                        _ = authority.follow() => tokio::time::sleep(PAUSE).await,
                    }
                }
            }
        });
        Ok((Self { authority, names, own, following }, watch))
    }

    /// Records how the call and the task ended. What is said after this is in the ledger.
    ///
    /// Its credentials are then revoked upstream, as long as somebody may be expected to wait for that;
    /// what is left the ledger remembers.
    pub(crate) async fn end(
        self,
        recorder: &Recorder,
        sources: &Sources,
        report: &Result<RunReport>,
    ) -> Result<()> {
        self.following.abort();
        let Names { host, task, call } = self.names;
        let Verdict { outcome, exit_code, limit } = Verdict::of(report);
        let how = match (outcome, limit) {
            ("killed", _) => TaskEnd::Interrupted,
            (_, Some(LimitName::Ttl)) => TaskEnd::Deadline,
            _ => TaskEnd::Done,
        };
        let call = Event::CallEnded {
            task: task.clone(),
            call,
            outcome: outcome.to_owned(),
            exit_code,
            limit: limit.map(output::words),
        };
        let leases = recorder.leases();
        let task = self.own.then_some((task, how));
        let end = RunEnd { notes: recorder.take().await, call, task, leases };
        let recorded = self.authority.end_run(host.clone(), end).await;
        recorded.map_err(|refused| fault(&refused))?;
        if let Some(providers) = sources.providers() {
            let until = Instant::now() + PATIENCE;
            let left = self.authority.revoke_own(providers, &host, until).await;
            let left = left.map_err(|refused| fault(&refused))?;
            // What others have left is tried once, on the way.
            let orphans = self.authority.revoke_orphans(providers, Instant::now()).await;
            if left + orphans.unwrap_or_default() > 0 {
                output::still_to_be_revoked(left);
            }
        }
        Ok(())
    }
}

/// Tells when the task may act no longer.
pub(crate) struct Watch(authority::Watch);

impl Watch {
    /// Waits for that. Dropping the future loses nothing.
    pub(crate) async fn stopped(&mut self) -> Ended {
        Ended::Killed(match self.0.stopped().await {
            Stop::Killed { by, why: Some(why) } => format!(" by {}: {why}", words(&by)),
            Stop::Killed { by, why: None } => format!(" by {}", words(&by)),
            Stop::Ended => ": the ledger says that it has ended".to_owned(),
            Stop::Sealed(why) => format!(": the ledger cannot be used: {why}"),
        })
    }
}

/// Names somebody as people do.
pub(crate) fn words(owner: &Owner) -> String {
    match owner {
        Owner::User { uid } => format!("user {uid}"),
        Owner::Ci { issuer, subject } => format!("{subject} of {issuer}"),
    }
}
