//! `writ run` and `writ call`: one call of one tool, in a task of its own or in one that waits for it.

use super::invoke::invoke;
use super::operator::{compiler, settings};
use super::{grants, tools::Tool};
use crate::cli::{Call, Granted, Run, ToolCall};
use crate::output::{Denials, OurFault, RunReport, Sink};
use crate::places::Places;
use crate::session::{self, Begin, Credentials, Names, Recorder, Session, Sources};
use crate::signals::{Ended, Signals};
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use writ_broker::authority::{Authority, Bearer};
use writ_broker::clock::UnixMillis;
use writ_broker::id::TaskId;
use writ_broker::{Grant, codes};
use writ_runtime::supervisor::{CallIo, CallReport, Compiler, Interrupt, Task, Worker};
use writ_runtime::wire::{Fault, Invoke};

/// The task of a call.
#[derive(Clone, Copy)]
enum In<'a> {
    /// One of its own, which begins and ends with it.
    Own(&'a Granted),
    /// One that waits for calls.
    Waiting(&'a TaskId),
}

/// Runs a tool in a task of its own and says how the process exits.
pub(crate) fn run(args: &Run) -> Result<ExitCode> {
    execute(&args.call, In::Own(&args.granted))
}

/// Calls a tool in a task and says how the process exits.
pub(crate) fn call(args: &Call) -> Result<ExitCode> {
    execute(&args.call, In::Waiting(&args.task))
}

fn execute(args: &ToolCall, within: In<'_>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    let mut names = Names::new()?;
    if let In::Waiting(task) = within {
        names.task = task.clone();
    }
    let denials = Arc::new(Denials::new(names.task.to_string()));
    let done = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let ended = run_once(args, within, names, &denials, &mut signals).await;
        // A reader that has stopped reading must not make us deaf to signals.
        let json = args.json;
        let print = tokio::task::spawn_blocking(move || print(ended, json, &denials));
        tokio::select! {
            printed = print => printed?,
            signal = signals.next() => Ok(ExitCode::from(signal.exit_code())),
        }
    });
    // What still waits for our own input or output must not hold up the exit.
    runtime.shutdown_background();
    done
}

fn print(ended: Result<RunReport>, json: bool, denials: &Denials) -> Result<ExitCode> {
    match ended {
        Ok(report) if json => report.print_json(),
        Ok(report) => Ok(report.print(denials)),
        Err(error) if json => RunReport::failed(&error, Some(denials)).print_json(),
        Err(error) => Err(error),
    }
}

async fn run_once(
    args: &ToolCall,
    within: In<'_>,
    names: Names,
    denials: &Arc<Denials>,
    signals: &mut Signals,
) -> Result<RunReport> {
    let settings = settings(&args.operator)?;
    // Started ahead of need: it comes up while the grant is read and the tool is found.
    let worker = Worker::start(&settings.program).context(OurFault("no worker starts"))?;
    let compiler = compiler(&settings);
    let prepared =
        match unless_ended(signals.next(), Prepared::of(args, within, &names, &compiler)).await {
            Ok(prepared) => prepared,
            Err(error) => {
                worker.end().await;
                return Err(error);
            }
        };
    let Prepared { authority, sources, grant, ancestry, deadline, mut tool, invoke } = prepared;
    let bearer =
        Bearer { ancestry, owner: session::user(), deadline, component: tool.digest_text() };
    let credentials = Credentials::new(&authority, &sources, &grant, &names, bearer);
    let (task_name, denied) = (names.task.clone(), Arc::clone(denials));
    let recorder = Recorder::new(Arc::clone(&authority), task_name, denied, credentials);
    let recorder = Arc::new(recorder);
    let task = match within {
        In::Own(granted) => Some(session::task(&names, None, &grant, deadline, &granted.label)),
        In::Waiting(_) => None,
    };
    let begin = Begin { task, tool: &tool, invoke: &invoke };
    let starting = Session::start(authority, names, begin);
    let artifacts = tool.cache.directory();
    let arm = |grant| Task::start(settings, grant, recorder.clone(), artifacts, Some(worker));
    let (session, task) = if grant.credentials.iter().any(|credential| credential.expose) {
        start_exposed(starting, grant.clone(), &recorder, signals, arm).await
    } else {
        // The record becomes durable while the worker is confined.
        tokio::join!(starting, async { Ok(arm(grant.clone()).await?) })
    };
    let ((session, watch), mut task) = match (session, task) {
        (Ok(session), Ok(task)) => (session, task),
        (Ok((session, _)), Err(error)) => {
            let failed = Err(error);
            session.end(&recorder, &sources, &failed).await?;
            return failed;
        }
        (Err(error), task) => {
            if let Ok(task) = task {
                task.kill().await;
            }
            return Err(error);
        }
    };
    let mut outside = Outside { signals, watch, ended: None };
    let mut sink = Sink::new(args.json);
    let called =
        call_tool(&mut task, &mut tool, (args, &compiler), invoke, &mut sink, &mut outside).await;
    task.kill().await;
    let report = called.and_then(|report| {
        let report = RunReport::ended(&tool, args.call.is_some(), report, sink, denials)?;
        Ok(match &outside.ended {
            Some(ended) => report.ended_by(ended),
            None => report,
        })
    });
    // Before anything is said: what is not recorded has not been a run.
    session.end(&recorder, &sources, &report).await?;
    report
}

/// Starts a task whose tool itself holds credentials: they are leased for a task that the ledger has,
/// and stand in the tool's environment.
async fn start_exposed<F: Future<Output = Result<Task, Fault>>>(
    starting: impl Future<Output = Result<(Session, session::Watch)>>,
    mut grant: Grant,
    recorder: &Recorder,
    signals: &mut Signals,
    arm: impl FnOnce(Grant) -> F,
) -> (Result<(Session, session::Watch)>, Result<Task>) {
    let (session, watch) = match starting.await {
        Ok(started) => started,
        Err(error) => return (Err(error), Err(OurFault("the task was not admitted").into())),
    };
    let mut outside = Outside { signals, watch, ended: None };
    let exposed = unless_ended(outside.next(), recorder.exposed(&grant)).await;
    let task = match exposed {
        Ok(variables) => {
            grant.env.extend(variables);
            arm(grant).await.map_err(Into::into)
        }
        Err(error) => Err(error),
    };
    (Ok((session, outside.watch)), task)
}

/// Everything that a call needs beside its worker.
struct Prepared {
    authority: Arc<Authority>,
    sources: Sources,
    grant: Grant,
    /// The task, and those above it.
    ancestry: Vec<TaskId>,
    deadline: Option<UnixMillis>,
    tool: Tool,
    invoke: Invoke,
}

impl Prepared {
    async fn of(
        args: &ToolCall,
        within: In<'_>,
        names: &Names,
        compiler: &Compiler,
    ) -> Result<Self> {
        let places = Places::of(&args.operator)?;
        let own = match within {
            In::Own(granted) => Some(grants::load(granted, &places)?),
            In::Waiting(_) => None,
        };
        let load = Tool::load(&args.tool, &places, compiler);
        let (authority, tool) = tokio::join!(session::open(&places), load);
        let (authority, tool) = (Arc::new(authority?), tool?);
        let invoke = invoke(args, &tool)?;
        let (grant, ancestry, deadline) = match own {
            Some(grant) => {
                let deadline = session::deadline(&grant);
                (grant, vec![names.task.clone()], deadline)
            }
            None => session::waiting(&authority, &places, &names.task).await?,
        };
        let sources = Sources::of(&args.operator, &places, &grant)?;
        Ok(Self { authority, sources, grant, ancestry, deadline, tool, invoke })
    }
}

/// Waits for what comes before a call, unless a signal comes first.
async fn unless_ended<T>(
    ended: impl Future<Output = Ended>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        done = work => done,
        ended = ended => Err(ended.into()),
    }
}

/// What may end the run from outside, and what did.
struct Outside<'a> {
    signals: &'a mut Signals,
    watch: session::Watch,
    ended: Option<Ended>,
}

impl Outside<'_> {
    async fn next(&mut self) -> Ended {
        tokio::select! {
            signal = self.signals.next() => signal,
            stopped = self.watch.stopped() => stopped,
        }
    }
}

/// Calls the tool; once more, compiled anew, if what is in the cache does not fit.
async fn call_tool(
    task: &mut Task,
    tool: &mut Tool,
    (args, compiler): (&ToolCall, &Compiler),
    invoke: Invoke,
    sink: &mut Sink,
    outside: &mut Outside<'_>,
) -> Result<CallReport> {
    match call_once(task, tool, invoke.clone(), sink, outside).await {
        Err(fault) if fault.code == codes::CACHE_ENTRY => {
            // Signed by us but made for another processor: a machine that changed under its cache.
            crate::output::cache_rejected(&tool.name, &fault.message);
            unless_ended(outside.next(), tool.recompile(&args.tool, compiler)).await?;
            Ok(call_once(task, tool, invoke, sink, outside).await?)
        }
        called => Ok(called?),
    }
}

async fn call_once(
    task: &mut Task,
    tool: &Tool,
    invoke: Invoke,
    sink: &mut Sink,
    outside: &mut Outside<'_>,
) -> Result<CallReport, Fault> {
    let mut stdin = tokio::io::stdin();
    let (stdout, stderr) = sink.streams();
    let mut io = CallIo { stdin: &mut stdin, stdout, stderr };
    let interrupted = async {
        outside.ended = Some(outside.next().await);
        Interrupt::Kill
    };
    task.call((tool.digest, &tool.entry), invoke, &mut io, interrupted).await
}
