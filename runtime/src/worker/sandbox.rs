//! One store for one call: made from the grant, consumed by running.

use super::ending::ending;
use super::host::egress::EgressClient;
use super::host::files::DiskBudget;
use super::outbox::Outbox;
use super::state::{ComponentState, CoreState, GuestState, Stdio, handles, wasi_context};
use super::tool::Tool;
use super::values::{Caps, FunctionShape};
use crate::outcome::{LimitName, Outcome};
use crate::wire::{Arm, Fault, Invoke};
use std::os::fd::OwnedFd;
use wasmtime::component::Val;
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use writ_broker::codes::{self, Code};
use writ_broker::grant::Access;

/// A guest that is about to run, with everything it may touch.
pub(crate) struct Sandbox<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) arm: &'a Arm,
    pub(crate) directories: &'a [(OwnedFd, Access)],
    pub(crate) stdio: &'a Stdio,
    pub(crate) disk: &'a DiskBudget,
    pub(crate) outbox: &'a Outbox,
    pub(crate) egress: &'a EgressClient,
}

/// What a guest left behind.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) result: Option<String>,
    pub(crate) memory_peak: u64,
}

/// What became of a call to a function.
enum Called {
    Refused(Code, String),
    Returned(FunctionShape, Vec<Val>),
}

impl Sandbox<'_> {
    /// Runs the guest to its end. A fault says that it never started.
    pub(crate) async fn run(self, tool: Tool, invoke: Invoke) -> Result<Ran, Fault> {
        match (tool, invoke) {
            (Tool::Core(pre), Invoke::Command { args }) => self.run_core(&pre, &args).await,
            (Tool::Component(pre), Invoke::Command { args }) => {
                let command = CommandPre::new(pre)
                    .map_err(|error| Fault::new(codes::TOOL_KIND, format!("{error:#}")))?;
                self.run_command(&command, &args).await
            }
            (Tool::Component(pre), Invoke::Function { interface, name, args }) => {
                self.call_function(&pre, interface.as_deref(), &name, &args).await
            }
            (Tool::Core(_), Invoke::Function { .. }) => {
                Err(Fault::new(codes::TOOL_KIND, "a core module exports no typed functions"))
            }
        }
    }

    async fn run_core(
        self,
        pre: &wasmtime::InstancePre<CoreState>,
        args: &[String],
    ) -> Result<Ran, Fault> {
        let wasi = self.context(args)?.build_p1();
        let state = CoreState::new(wasi, self.arm, self.disk, self.outbox)
            .map_err(|error| Fault::new(codes::WORKER_DIED, format!("{error:#}")))?;
        let mut store = self.store(state);
        let ended = async {
            let instance = pre.instantiate_async(&mut store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call_async(&mut store, ()).await
        }
        .await;
        Ok(Ran::of(&mut store, ended.map(|()| Outcome::Exited { code: 0 })))
    }

    async fn run_command(
        self,
        command: &CommandPre<ComponentState>,
        args: &[String],
    ) -> Result<Ran, Fault> {
        let mut store = self.component_store(args)?;
        let ended = async {
            let guest = command.instantiate_async(&mut store).await?;
            guest.wasi_cli_run().call_run(&mut store).await
        }
        .await;
        let code = |ended: Result<(), ()>| Outcome::Exited { code: ended.is_err().into() };
        Ok(Ran::of(&mut store, ended.map(code)))
    }

    async fn call_function(
        self,
        pre: &wasmtime::component::InstancePre<ComponentState>,
        interface: Option<&str>,
        name: &str,
        args: &str,
    ) -> Result<Ran, Fault> {
        let component = pre.component();
        let instance = interface.map(|interface| component.get_export_index(None, interface));
        let function = match instance {
            Some(None) => None,
            found => component.get_export_index(found.flatten().as_ref(), name),
        };
        let function = function
            .ok_or_else(|| Fault::new(codes::NO_FUNCTION, format!("the tool has no `{name}`")))?;
        let mut store = self.component_store(&[])?;
        let called = async {
            let instance = pre.instantiate_async(&mut store).await?;
            let function = instance
                .get_func(&mut store, function)
                .ok_or_else(|| wasmtime::Error::msg("the export is not a function"))?;
            let shape = match FunctionShape::of(&function.ty(&store)) {
                Ok(shape) => shape,
                Err(why) => return Ok(Called::Refused(codes::RESOURCE_TYPE, why.to_string())),
            };
            let arguments = match shape.args_from_text(args, Caps::DEFAULT) {
                Ok(arguments) => arguments,
                Err(why) => return Ok(Called::Refused(codes::ARGUMENTS, why.to_string())),
            };
            let mut results = shape.result_slots();
            function.call_async(&mut store, &arguments, &mut results).await?;
            wasmtime::Result::Ok(Called::Returned(shape, results))
        }
        .await;
        match called {
            Ok(Called::Refused(code, why)) => Err(Fault::new(code, why)),
            Ok(Called::Returned(shape, results)) => {
                let (outcome, result) = self.returned(&shape, &results);
                let mut ran = Ran::of(&mut store, Ok(outcome));
                ran.result = result;
                Ok(ran)
            }
            Err(error) => Ok(Ran::of(&mut store, Err(error))),
        }
    }

    fn returned(&self, shape: &FunctionShape, results: &[Val]) -> (Outcome, Option<String>) {
        let bytes = usize::try_from(self.arm.limits.result).unwrap_or(usize::MAX);
        let code = FunctionShape::is_error(results).into();
        match shape.result_to_text(results, Caps { bytes, ..Caps::DEFAULT }) {
            Ok(text) => (Outcome::Exited { code }, Some(text)),
            // The function's type was accepted before the call: only the size can be wrong.
            Err(_) => (Outcome::OverLimit { limit: LimitName::Result }, None),
        }
    }

    fn context(&self, args: &[String]) -> Result<wasmtime_wasi::WasiCtxBuilder, Fault> {
        wasi_context(self.arm, self.directories, self.stdio, args)
            .map_err(|error| Fault::new(codes::WORKER_DIED, format!("{error:#}")))
    }

    fn component_store(&self, args: &[String]) -> Result<Store<ComponentState>, Fault> {
        let wasi = self.context(args)?.build();
        let state = ComponentState::new(wasi, self.arm, self.disk, self.outbox, self.egress);
        let mut store = self.store(state);
        store.set_max_component_handles(handles(&self.arm.limits));
        Ok(store)
    }

    fn store<T: GuestState>(&self, state: T) -> Store<T> {
        let mut store = Store::new(self.engine, state);
        store.limiter(|state| state.meter());
        store.set_hostcall_fuel(
            usize::try_from(self.arm.limits.hostcall_bytes).unwrap_or(usize::MAX),
        );
        // A spinning guest lets go of the thread at every tick, so that a cancel is heard.
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        store
    }
}

impl Ran {
    fn of<T: GuestState>(store: &mut Store<T>, ended: wasmtime::Result<Outcome>) -> Self {
        let meter = store.data_mut().meter();
        let outcome = match (ended, meter.hit()) {
            (Err(_), Some(limit)) => Outcome::OverLimit { limit },
            (Err(error), None) => ending(&error),
            (Ok(outcome), _) => outcome,
        };
        Self { outcome, result: None, memory_peak: meter.peak() }
    }
}
