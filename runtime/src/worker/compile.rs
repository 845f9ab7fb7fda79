//! A worker that translates hostile bytes to native code, and has nothing but them.

use super::describe::{self, Description};
use super::engine;
use super::{Armed, WireError};
use crate::wire::{Fault, FromWorker, ToWorker};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use writ_broker::codes;

/// Serves requests to compile until the host hangs up.
pub(super) fn serve(mut armed: Armed) -> Result<(), WireError> {
    let outbox = armed.outbox();
    loop {
        let ToWorker::Compile = armed.next()? else {
            return Err(std::io::Error::other("a compiling worker was asked to run").into());
        };
        let (tool, artifact) = (armed.inbox.descriptor()?, armed.inbox.descriptor()?);
        outbox.send(&match compile(tool, artifact) {
            Ok(description) => FromWorker::Compiled(description),
            Err(fault) => FromWorker::Refused(fault),
        });
    }
}

fn compile(tool: OwnedFd, artifact: OwnedFd) -> Result<Description, Fault> {
    let broken = |error: std::io::Error| Fault::new(codes::WORKER_DIED, error.to_string());
    let mut bytes = Vec::new();
    File::from(tool).read_to_end(&mut bytes).map_err(broken)?;
    let description = describe::describe_provided(&bytes)
        .map_err(|error| Fault::new(error.code(), error.to_string()))?;
    let engine = engine::for_compiling()
        .map_err(|error| Fault::new(codes::WORKER_DIED, format!("{error:#}")))?;
    let code = if description.is_core() {
        engine.precompile_module(&bytes)
    } else {
        engine.precompile_component(&bytes)
    };
    let code = code.map_err(|error| Fault::new(codes::INVALID_WASM, format!("{error:#}")))?;
    File::from(artifact).write_all(&code).map_err(broken)?;
    Ok(description)
}
