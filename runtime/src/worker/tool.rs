//! A compiled tool, mapped and linked once per worker.

use super::linker::Linkers;
use super::state::{ComponentState, CoreState};
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

impl Tool {
    /// Maps an artifact that the host has authenticated.
    #[expect(unsafe_code, reason = "a compiled artifact is native code")]
    pub(crate) fn load(
        engine: &Engine,
        linkers: &mut Linkers,
        artifact: &OwnedFd,
        core: bool,
    ) -> Result<Self, Fault> {
        // By descriptor: the file that the host checked is the file that is mapped.
        let path = format!("/proc/self/fd/{}", artifact.as_raw_fd());
        let stale = |error: wasmtime::Error| {
            Fault::new(codes::CACHE_ENTRY, format!("the compiled tool cannot be loaded: {error:#}"))
        };
        let unlinked =
            |error: wasmtime::Error| Fault::new(codes::COMPONENT_IMPORT, format!("{error:#}"));
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
