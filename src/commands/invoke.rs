//! What is called, and with what.

use super::tools::Tool;
use crate::cli::ToolCall;
use anyhow::{Context, Result};
use std::io::Read;
use writ_broker::codes;
use writ_runtime::wire::{Fault, Invoke};
use writ_runtime::worker::describe::{FunctionRef, Kind, resolve_function};
use writ_runtime::worker::values::Caps;

/// Says what a command line calls.
pub(super) fn invoke(args: &ToolCall, tool: &Tool) -> Result<Invoke> {
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
