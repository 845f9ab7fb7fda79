//! What the operator's flags mean.

use crate::cli::{self, Operator};
use crate::output::OurFault;
use anyhow::{Context, Result};
use std::ffi::OsString;
use writ_runtime::confinement::Requirement;
use writ_runtime::gate::{Gate, GateSettings};
use writ_runtime::supervisor::{CompileCaps, Compiler, TaskSettings, WorkerProgram};

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
