//! What a guest may import: WASI 0.2 without its own way to the network, or wasip1.

use super::host::{self, files};
use super::state::{ComponentState, CoreState};
use wasmtime::Engine;
use wasmtime::component::Linker as ComponentLinker;
use wasmtime_wasi::I32Exit;

/// The linkers of one worker, made when first needed.
#[derive(Default)]
pub(crate) struct Linkers {
    component: Option<ComponentLinker<ComponentState>>,
    core: Option<wasmtime::Linker<CoreState>>,
}

impl Linkers {
    /// Returns the linker for components.
    pub(crate) fn component(
        &mut self,
        engine: &Engine,
    ) -> wasmtime::Result<&ComponentLinker<ComponentState>> {
        if self.component.is_none() {
            let mut linker = ComponentLinker::new(engine);
            host::add_to_linker(&mut linker)?;
            self.component = Some(linker);
        }
        self.component.as_ref().ok_or_else(|| wasmtime::Error::msg("no linker"))
    }

    /// Returns the linker for core modules.
    pub(crate) fn core(
        &mut self,
        engine: &Engine,
    ) -> wasmtime::Result<&wasmtime::Linker<CoreState>> {
        if self.core.is_none() {
            let mut linker = wasmtime::Linker::new(engine);
            files::p1::add_to_linker(&mut linker, CoreState::p1)?;
            linker.allow_shadowing(true);
            // Wasmtime's own traps from 126 on; here a tool's code passes through.
            linker.func_wrap("wasi_snapshot_preview1", "proc_exit", exit)?;
            linker.allow_shadowing(false);
            self.core = Some(linker);
        }
        self.core.as_ref().ok_or_else(|| wasmtime::Error::msg("no linker"))
    }
}

fn exit(code: i32) -> wasmtime::Result<()> {
    Err(I32Exit(code).into())
}
