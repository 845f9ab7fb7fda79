//! Core modules: only wasip1 commands are run.

use super::error::DescribeError;
use super::scan::CoreRoot;
use wasmparser::ExternalKind;

/// Checks that a core module, whose imports are all provided, is a command.
pub(super) fn check_command(root: &CoreRoot<'_>) -> Result<(), DescribeError> {
    let export = |wanted: &str| root.exports.iter().find(|(name, ..)| *name == wanted);
    let Some((_, ExternalKind::Func | ExternalKind::FuncExact, index)) = export("_start") else {
        return Err(DescribeError::unsupported(
            "the core module exports no function `_start`: only commands can be run as core \
             modules, and a library must be made a component",
        ));
    };
    let ty = root.functions.get(*index as usize).and_then(|ty| root.types.get(*ty as usize));
    match ty {
        Some(Some(ty)) if ty.params().is_empty() && ty.results().is_empty() => {}
        _ => return Err(DescribeError::unsupported("`_start` takes or returns values")),
    }
    match export("memory") {
        Some((_, ExternalKind::Memory, _)) => Ok(()),
        _ => Err(DescribeError::unsupported("the core module exports no memory named `memory`")),
    }
}
