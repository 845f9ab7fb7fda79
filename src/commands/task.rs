//! `writ task`: tasks that wait for calls, those below them, and their end.

use super::grants;
use crate::cli::{Granted, OwnDirs, Task, TaskAction};
use crate::output::{self, OurFault};
use crate::places::Places;
use crate::session::{self, Names, fault, store};
use anyhow::{Context, Result, ensure};
use std::process::ExitCode;
use writ_broker::authority::{Authority, Refused};
use writ_broker::clock::{Clock, SystemClock, UnixMillis};
use writ_broker::event::TaskStarted;
use writ_broker::id::TaskId;
use writ_broker::state::NotNow;
use writ_broker::{Grant, codes};
use writ_runtime::wire::Fault;

/// Starts, narrows or ends a task.
pub(crate) fn task(args: &Task) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    runtime.block_on(async {
        match &args.action {
            TaskAction::Start { granted, own } => start(granted, own).await,
            TaskAction::Child { parent, granted, own } => child(parent, granted, own).await,
            TaskAction::End { task, own } => end(task, own).await,
        }
    })
}

async fn start(granted: &Granted, own: &OwnDirs) -> Result<ExitCode> {
    let places = Places::find(own)?;
    let grant = grants::load(granted, &places)?;
    let deadline = session::deadline(&grant);
    ensure!(
        deadline.is_some(),
        "a task that waits for calls needs an end: add `--ttl 10m`, or `ttl` in `[task]`"
    );
    let authority = session::open(&places).await?;
    admit(&authority, &places, None, &grant, deadline, granted).await
}

async fn child(parent: &TaskId, granted: &Granted, own: &OwnDirs) -> Result<ExitCode> {
    let places = Places::find(own)?;
    let mut grant = grants::load(granted, &places)?;
    let authority = session::open(&places).await?;
    let (above, _, end) = session::waiting(&authority, &places, parent).await?;
    // Without a time of its own it has what is left of its parent's.
    let left = end.map(|end| end.saturating_since(SystemClock.now()));
    let wished = grant.ttl.or(left);
    grant.ttl = wished;
    if let Err(wider) = grant.within(&above) {
        output::wider(&wider);
        let message = format!("the grant goes beyond that of {parent}; no task was started");
        return Err(Fault::new(codes::WIDER, message).into());
    }
    let deadline = match (session::deadline(&grant), end) {
        (Some(deadline), Some(end)) => Some(deadline.min(end)),
        (deadline, end) => deadline.or(end),
    };
    admit(&authority, &places, Some(parent.clone()), &grant, deadline, granted).await
}

/// Starts the task and prints its name.
async fn admit(
    authority: &Authority,
    places: &Places,
    parent: Option<TaskId>,
    grant: &Grant,
    deadline: Option<UnixMillis>,
    granted: &Granted,
) -> Result<ExitCode> {
    let names = Names::new()?;
    let task = session::task(&names, parent, grant, deadline, &granted.label);
    store::keep(places, &names.task, grant)?;
    let admitted = authority.start_task(TaskStarted { host: None, ..task }).await;
    admitted.map_err(|refused| refusal(&refused))?;
    output::result(&names.task);
    Ok(ExitCode::SUCCESS)
}

async fn end(task: &TaskId, own: &OwnDirs) -> Result<ExitCode> {
    let places = Places::find(own)?;
    let authority = session::open(&places).await?;
    let found = authority.task(task.clone()).await;
    let (found, _) = found.map_err(|refused| refusal(&refused))?;
    ensure!(
        found.calls.is_empty(),
        "a call of {task} is still running; wait for it, or end it with `writ kill {task}`"
    );
    authority.end_task(task.clone()).await.map_err(|refused| refusal(&refused))?;
    let lives = authority.live_tasks().await.map_err(|refused| fault(&refused))?;
    store::forget(&places, |task| lives.contains(task));
    Ok(ExitCode::SUCCESS)
}

/// What the caller can mend is a usage error; the rest is not.
fn refusal(refused: &Refused) -> anyhow::Error {
    match refused {
        Refused::NotNow(NotNow::SteppedBack(_)) => fault(refused).into(),
        Refused::NotNow(why) => anyhow::Error::new(why.clone()),
        _ => fault(refused).into(),
    }
}
