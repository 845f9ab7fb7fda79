//! The floor of (a): bare wasmtime in this process, with the worker's engine settings.

use std::path::Path;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use writ_broker::Limits;

pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    function: ComponentExportIndex,
    runtime: tokio::runtime::Runtime,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    pub(crate) fn new(path: &Path, interface: Option<&str>, name: &str) -> Self {
        let engine = writ_runtime::worker::engine::for_running(&Limits::default()).unwrap();
        let component = Component::from_file(&engine, path).unwrap();
        let instance = interface.map(|name| component.get_export_index(None, name).unwrap());
        let function = component.get_export_index(instance.as_ref(), name).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { engine, pre, function, runtime }
    }

    /// A fresh store, an instance, one call, and the end of all of it.
    pub(crate) fn call(&self) {
        self.runtime.block_on(async {
            let wasi = WasiCtxBuilder::new().build();
            let mut store = Store::new(&self.engine, State { wasi, table: ResourceTable::new() });
            store.set_epoch_deadline(1);
            let instance = self.pre.instantiate_async(&mut store).await.unwrap();
            let function = instance.get_func(&mut store, self.function).unwrap();
            function.call_async(&mut store, &[], &mut []).await.unwrap();
        });
    }
}
