//! A compiled tool, mapped and linked once per worker.

use super::ending::over_limit_at_load;
use super::linker::Linkers;
use super::state::{ComponentState, CoreState};
use crate::outcome::LimitName;
use crate::wire::Fault;
use std::os::fd::{AsRawFd, OwnedFd};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Module};
use writ_broker::codes;

/// A tool that is ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Tool {
    /// A component: a command, or functions, or both.
    Component(InstancePre<ComponentState>),
    /// A core module that speaks wasip1.
    Core(wasmtime::InstancePre<CoreState>),
}

/// Why a tool is not ready.
pub(crate) enum Unready {
    /// It cannot be loaded, or it does not fit what the linker holds.
    Refused(Fault),
    /// It wants more from the start than a bound of the grant lets it have.
    OverLimit(LimitName),
}

impl Tool {
    /// Maps an artifact that the host has authenticated.
    #[expect(unsafe_code, reason = "a compiled artifact is native code")]
    pub(crate) fn load(
        engine: &Engine,
        linkers: &mut Linkers,
        artifact: &OwnedFd,
        core: bool,
    ) -> Result<Self, Unready> {
        // By descriptor: the file that the host checked is the file that is mapped.
        let path = format!("/proc/self/fd/{}", artifact.as_raw_fd());
        let unlinked = |error: wasmtime::Error| {
            let code = if core { codes::CORE_IMPORT } else { codes::COMPONENT_IMPORT };
            Unready::Refused(Fault::new(code, format!("{error:#}")))
        };
        if core {
            // SAFETY: the host verified the artifact's authentication code over this open file; it
            // was written by a compiling worker of ours and nobody else can write there.
            let module = unsafe { Module::deserialize_file(engine, path) }.map_err(stale)?;
            let linker = linkers.core(engine).map_err(unlinked)?;
            linker.instantiate_pre(&module).map(Self::Core).map_err(unlinked)
        } else {
            // SAFETY: as above.
            let component = unsafe { Component::deserialize_file(engine, path) }.map_err(stale)?;
            let linker = linkers.component(engine).map_err(unlinked)?;
            linker.instantiate_pre(&component).map(Self::Component).map_err(unlinked)
        }
    }
}

fn stale(error: wasmtime::Error) -> Unready {
    if let Some(limit) = over_limit_at_load(&error) {
        return Unready::OverLimit(limit);
    }
    let message = format!("the compiled tool cannot be loaded: {error:#}");
    Unready::Refused(Fault::new(codes::CACHE_ENTRY, message))
}
