//! `writ run`: one tool, one grant, one call.

use super::{grants, tools::Tool};
use crate::cli::{self, Operator, Run};
use crate::output::{Denials, OurFault, RunReport, Sink};
use crate::places::Places;
use crate::signals::{Ended, Signals};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use writ_broker::{Grant, codes};
use writ_runtime::confinement::Requirement;
use writ_runtime::gate::{Gate, GateSettings};
use writ_runtime::supervisor::{
    CallIo, CallReport, CompileCaps, Compiler, Interrupt, Task, TaskSettings, Worker, WorkerProgram,
};
use writ_runtime::wire::{Fault, Invoke};
use writ_runtime::worker::describe::{FunctionRef, Kind, resolve_function};
use writ_runtime::worker::values::Caps;

/// Runs a tool and says how the process exits.
pub(crate) fn run(args: &Run) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    let denials = Arc::new(Denials::new(task_id()?));
    let done = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let ended = run_once(args, denials.clone(), &mut signals).await;
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

async fn run_once(args: &Run, denials: Arc<Denials>, signals: &mut Signals) -> Result<RunReport> {
    let settings = settings(&args.operator)?;
    // Started ahead of need: it comes up while the grant is read and the tool is found.
    let worker = Worker::start(&settings.program).context(OurFault("no worker starts"))?;
    let compiler = compiler(&settings);
    let (grant, mut tool, invoke) = match unless_ended(signals, prepare(args, &compiler)).await {
        Ok(prepared) => prepared,
        Err(error) => {
            worker.end().await;
            return Err(error);
        }
    };
    let artifacts = tool.cache.directory();
    let mut task = Task::start(settings, grant, denials.clone(), artifacts, Some(worker)).await?;
    let mut sink = Sink::new(args.json);
    let mut ended = None;
    let report =
        call(&mut task, &mut tool, (args, &compiler), invoke, &mut sink, (signals, &mut ended));
    let report = report.await;
    task.kill().await;
    let report = RunReport::ended(&tool, args.call.is_some(), report?, sink, &denials)?;
    Ok(match ended {
        Some(signal) => report.ended_by(signal),
        None => report,
    })
}

/// Everything that a call needs beside its worker.
async fn prepare(args: &Run, compiler: &Compiler) -> Result<(Grant, Tool, Invoke)> {
    let places = Places::of(&args.operator)?;
    let grant = grants::load(args.grant.as_ref(), &args.flags, &places)?;
    let tool = Tool::load(&args.tool, &places, compiler).await?;
    let invoke = invoke(args, &tool)?;
    Ok((grant, tool, invoke))
}

/// Waits for what comes before a call, unless a signal comes first.
async fn unless_ended<T>(
    signals: &mut Signals,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        done = work => done,
        signal = signals.next() => Err(signal.into()),
    }
}

/// A name for this run that nobody can guess or reuse.
fn task_id() -> Result<String> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).context(OurFault("no randomness"))?;
    Ok(random.iter().fold("task-".to_owned(), |id, byte| format!("{id}{byte:02x}")))
}

/// Calls the tool; once more, compiled anew, if what is in the cache does not fit.
async fn call(
    task: &mut Task,
    tool: &mut Tool,
    (args, compiler): (&Run, &Compiler),
    invoke: Invoke,
    sink: &mut Sink,
    (signals, ended): (&mut Signals, &mut Option<Ended>),
) -> Result<CallReport> {
    match call_once(task, tool, invoke.clone(), sink, (&mut *signals, &mut *ended)).await {
        Err(fault) if fault.code == codes::CACHE_ENTRY => {
            // Signed by us but made for another processor: a machine that changed under its cache.
            crate::output::cache_rejected(&tool.name, &fault.message);
            unless_ended(signals, tool.recompile(&args.tool, compiler)).await?;
            Ok(call_once(task, tool, invoke, sink, (signals, ended)).await?)
        }
        called => Ok(called?),
    }
}

async fn call_once(
    task: &mut Task,
    tool: &Tool,
    invoke: Invoke,
    sink: &mut Sink,
    (signals, ended): (&mut Signals, &mut Option<Ended>),
) -> Result<CallReport, Fault> {
    let mut stdin = tokio::io::stdin();
    let (stdout, stderr) = sink.streams();
    let mut io = CallIo { stdin: &mut stdin, stdout, stderr };
    let interrupted = async {
        *ended = Some(signals.next().await);
        Interrupt::Kill
    };
    task.call((tool.digest, &tool.entry), invoke, &mut io, interrupted).await
}

/// What the operator's flags mean for every task.
pub(super) fn settings(operator: &Operator) -> Result<TaskSettings> {
    let gate = Gate::new(GateSettings {
        extra_ca: operator.ca.clone(),
        name_server: operator.name_server,
        dangerous_loopback: operator.dangerous_loopback,
    })?;
    let require =
        if operator.require_confinement { Requirement::Full } else { Requirement::Report };
    Ok(TaskSettings { program: worker_program()?, require, gate })
}

/// The compiler that goes with the settings of a run.
pub(super) fn compiler(settings: &TaskSettings) -> Compiler {
    let (program, require) = (settings.program.clone(), settings.require);
    Compiler { program, require, caps: CompileCaps::default() }
}

/// How this binary starts itself as a worker.
fn worker_program() -> Result<WorkerProgram> {
    let path = std::env::current_exe().context(OurFault("this program cannot find itself"))?;
    Ok(WorkerProgram { path, args: vec![OsString::from(cli::WORKER)] })
}

fn invoke(args: &Run, tool: &Tool) -> Result<Invoke> {
    let Some(function) = &args.call else {
        if tool.entry.description.kind == Kind::Functions {
            let message = "the tool has functions and no command: call one with `--call`";
            return Err(Fault::new(codes::TOOL_KIND, message).into());
        }
        let program = std::iter::once(tool.name.clone());
        return Ok(Invoke::Command { args: program.chain(args.rest.iter().cloned()).collect() });
    };
    let text = arguments(&args.args)?;
    let FunctionRef { interface, name } = resolve_function(&tool.entry.description, function)
        .map_err(|error| Fault::new(error.code(), error.to_string()))?;
    Ok(Invoke::Function { interface, name, args: text })
}

/// The most bytes of arguments that a worker would read.
const MAX_ARGUMENTS: usize = Caps::DEFAULT.bytes;

/// The arguments of a function: as they are given, or from a file.
fn arguments(given: &str) -> Result<String> {
    let Some(file) = given.strip_prefix('@') else { return Ok(given.to_owned()) };
    let cannot = || format!("cannot read {file}");
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).with_context(cannot)?;
    opened.take(MAX_ARGUMENTS as u64 + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() > MAX_ARGUMENTS {
        let message =
            format!("the arguments are too large: {file} has more than {MAX_ARGUMENTS} bytes");
        return Err(Fault::new(codes::ARGUMENTS, message).into());
    }
    String::from_utf8(bytes).with_context(cannot)
}
