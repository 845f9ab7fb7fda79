//! What a tool is, from its bytes alone.
//!
//! Nothing is compiled or run here. The bytes are hostile: one pass bounds their structure (`scan`,
//! `nesting`) before any parser that recurses sees them.

mod bounds;
mod core;
mod description;
mod docs;
mod error;
mod name;
mod nesting;
mod provided;
mod render;
mod root_types;
mod scan;
mod shape;
#[cfg(test)]
mod tests;
mod text;
mod wit;

pub use description::{Description, Function, Import, Kind, NamedType, Param, Producer};
pub use error::DescribeError;
pub use name::{FunctionRef, ResolveError, resolve_function};
pub use provided::{Provided, WASI_P2, WASIP1, WASIP1_FUNCTIONS};
pub use render::render;

use crate::worker::values::escaped;
use scan::{ComponentRoot, CoreRoot, Root, Scan};
use wasmparser::{ComponentExternalKind, Validator, WasmFeatures};

/// Says what a tool is, or why it cannot be run with all of [`Provided::WASI`].
pub fn describe_provided(bytes: &[u8]) -> Result<Description, DescribeError> {
    describe(bytes, &Provided::WASI)
}

/// Says what a tool is, or why it cannot be run with what is provided.
pub fn describe(bytes: &[u8], provided: &Provided<'_>) -> Result<Description, DescribeError> {
    let scan = scan::scan(bytes)?;
    // Whether the engine has the features that a tool uses is for the engine to say.
    Validator::new_with_features(WasmFeatures::all()).validate_all(bytes)?;
    let size = bytes.len() as u64;
    match &scan.root {
        Root::Core(root) => core_command(&scan, root, provided, size),
        Root::Component(root) => component(bytes, &scan, root, provided),
    }
}

fn core_command(
    scan: &Scan<'_>,
    root: &CoreRoot<'_>,
    provided: &Provided<'_>,
    size: u64,
) -> Result<Description, DescribeError> {
    let imports = provided.check_core(root)?;
    core::check_command(root)?;
    Ok(Description {
        kind: Kind::CoreCommand,
        size,
        imports,
        functions: Vec::new(),
        types: Vec::new(),
        docs: None,
        producers: scan.producers.clone(),
    })
}

fn component(
    bytes: &[u8],
    scan: &Scan<'_>,
    root: &ComponentRoot<'_>,
    provided: &Provided<'_>,
) -> Result<Description, DescribeError> {
    provided.check_sorts(root)?;
    expressible(root)?;
    let (resolve, world) = wit::decoded(bytes, scan, root)?;
    let imports = provided.check_component(root, |name| wit::types_alone(&resolve, world, name))?;
    let mut exports = wit::exports(&resolve, world, scan, root)?;
    name::assign_calls(&mut exports.functions);
    let runs = root
        .exports
        .iter()
        .any(|(name, kind)| *kind == ComponentExternalKind::Instance && provided::is_run(name));
    let callable = exports.functions.iter().any(|func| func.not_callable.is_none());
    let kind = match (runs, callable) {
        (true, _) => Kind::Command,
        (false, true) => Kind::Functions,
        (false, false) => return Err(not_runnable(root, &exports)),
    };
    Ok(Description {
        kind,
        size: bytes.len() as u64,
        imports,
        functions: exports.functions,
        types: exports.types,
        docs: exports.docs,
        producers: scan.producers.clone(),
    })
}

/// Refuses exports that WIT has no words for, by name rather than by a decoder's error.
fn expressible(root: &ComponentRoot<'_>) -> Result<(), DescribeError> {
    for (name, kind) in &root.exports {
        let what = match kind {
            ComponentExternalKind::Module => "a core module",
            ComponentExternalKind::Component => "a component",
            ComponentExternalKind::Value => "a value",
            _ => continue,
        };
        let name = escaped(name, 200);
        return Err(DescribeError::unsupported(format!("it exports {what}, `{name}`")));
    }
    Ok(())
}

fn not_runnable(root: &ComponentRoot<'_>, exports: &wit::Exports) -> DescribeError {
    let server = root.exports.iter().find(|(name, _)| name.starts_with("wasi:http/"));
    let run = root.exports.iter().find(|(name, _)| name.starts_with("wasi:cli/run"));
    let reason = match (server, run, exports.functions.first()) {
        (Some((name, _)), ..) => format!(
            "the component serves HTTP (`{}`) and has neither a command nor a function to call",
            escaped(name, 200)
        ),
        (_, Some((name, _)), _) => format!(
            "the component is a command of another version of WASI (`{}`)",
            escaped(name, 200)
        ),
        (.., Some(func)) => format!(
            "the component exports no function that can be called; `{}`: {}",
            escaped(&func.call, 200),
            func.not_callable.as_ref().map(ToString::to_string).unwrap_or_default()
        ),
        _ => "the component exports neither a command nor a function".to_owned(),
    };
    DescribeError::unsupported(reason)
}
