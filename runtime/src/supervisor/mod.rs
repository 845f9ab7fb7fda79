//! The host's side of a worker: start it, arm it, give it work, end it.

mod compile;
mod task;
mod watch;
mod worker;

pub use compile::{Compiler, MAX_TOOL};
pub use task::{CallIo, CallReport, Interrupt, Task, TaskSettings, Usage};
pub use worker::{Worker, WorkerProgram};
