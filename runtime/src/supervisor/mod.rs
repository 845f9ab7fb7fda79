//! The host's side of a worker: start it, arm it, give it work, end it.

mod compile;
mod conversation;
mod hearsay;
mod idle;
mod report;
mod running;
mod spent;
mod task;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

pub use compile::{CompileCaps, Compiler, MAX_TOOL};
pub use conversation::{CallIo, Interrupt};
pub use report::{CallReport, Usage};
pub use task::{Task, TaskSettings};
pub use worker::{Worker, WorkerProgram};
