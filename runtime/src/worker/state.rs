//! What one store holds. A store serves one call and is dropped with it.

use super::host::GuestView;
use super::host::egress::EgressClient;
use super::host::files::p1::{P1Guard, P1View};
use super::host::files::p2::FilesView;
use super::host::files::{DiskBudget, FilesGuard};
use super::host::http::{self, GuestHttp, HttpView};
use super::host::sockets::{GuestSockets, SocketsView};
use super::meter::Meter;
use super::outbox::Outbox;
use super::stdio::{Input, Output};
use crate::outcome::LimitName;
use crate::record::Recorder;
use crate::wire::{Arm, ArmedDirectory};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use writ_broker::Limits;
use writ_broker::grant::Access;

/// The state of a component's store.
pub(crate) struct ComponentState {
    wasi: WasiCtx,
    table: ResourceTable,
    guard: FilesGuard,
    http: WasiHttpCtx,
    hooks: GuestHttp,
    sockets: GuestSockets,
    meter: Meter,
}

/// The state of a core module's store.
pub(crate) struct CoreState {
    wasi: WasiP1Ctx,
    guard: P1Guard,
    meter: Meter,
}

impl ComponentState {
    pub(crate) fn new(
        wasi: WasiCtx,
        arm: &Arm,
        disk: &DiskBudget,
        outbox: &Outbox,
        egress: &EgressClient,
    ) -> Self {
        let recorder: Arc<dyn Recorder> = Arc::new(outbox.clone());
        let limits = &arm.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles(limits));
        Self {
            wasi,
            table,
            guard: FilesGuard::new(recorder.clone(), disk.clone()),
            http: http::context(limits),
            hooks: GuestHttp::new(egress.clone(), recorder.clone(), limits),
            sockets: GuestSockets::new(egress.clone(), recorder, limits),
            meter: Meter::new(limits),
        }
    }
}

impl GuestView for ComponentState {
    fn files(&mut self) -> FilesView<'_> {
        let ctx = self.wasi.filesystem();
        FilesView { ctx, table: &mut self.table, guard: &mut self.guard }
    }

    fn http(&mut self) -> HttpView<'_> {
        HttpView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }

    fn sockets(&mut self) -> SocketsView<'_> {
        SocketsView { sockets: &mut self.sockets, table: &mut self.table }
    }
}

impl CoreState {
    pub(crate) fn new(
        mut wasi: WasiP1Ctx,
        arm: &Arm,
        disk: &DiskBudget,
        outbox: &Outbox,
    ) -> wasmtime::Result<Self> {
        wasi.ctx().table.set_max_capacity(handles(&arm.limits));
        let guard = P1Guard::new(Arc::new(outbox.clone()), disk.clone(), &mut wasi)?;
        Ok(Self { wasi, guard, meter: Meter::new(&arm.limits) })
    }

    pub(crate) fn p1(&mut self) -> P1View<'_> {
        P1View { wasi: &mut self.wasi, guard: &mut self.guard }
    }
}

/// Handles and host resources that one call may hold.
pub(crate) fn handles(limits: &Limits) -> usize {
    usize::try_from(limits.handles).unwrap_or(usize::MAX)
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A store's state, as the sandbox needs it whatever the kind of tool.
pub(crate) trait GuestState: Send + 'static {
    fn meter(&mut self) -> &mut Meter;
}

impl GuestState for ComponentState {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

impl GuestState for CoreState {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

/// The standard streams of one call.
#[derive(Debug, Clone)]
pub(crate) struct Stdio {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Stdio {
    pub(crate) fn new(outbox: &Outbox, arm: &Arm) -> Self {
        Self {
            stdin: Input::new(outbox.clone()),
            stdout: Output::new(outbox.clone(), LimitName::Stdout, arm.limits.stdout),
            stderr: Output::new(outbox.clone(), LimitName::Stderr, arm.limits.stderr),
        }
    }
}

/// Builds the WASI context of one call: exactly the armed directories, variables and streams.
pub(crate) fn wasi_context(
    arm: &Arm,
    directories: &[(OwnedFd, Access)],
    stdio: &Stdio,
    args: &[String],
) -> wasmtime::Result<WasiCtxBuilder> {
    let mut builder = WasiCtxBuilder::new();
    builder
        // A worker has one thread and one guest; a blocked file call blocks nobody else, and the
        // host watches the time from outside.
        .allow_blocking_current_thread(true)
        .stdin(stdio.stdin.clone())
        .stdout(stdio.stdout.clone())
        .stderr(stdio.stderr.clone())
        .envs(&arm.env)
        .args(args)
        .max_random_size(arm.limits.random_bytes)
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false);
    for (ArmedDirectory { guest, access }, (descriptor, _)) in
        arm.directories.iter().zip(directories)
    {
        let perms = match access {
            Access::Read => FsPerms::ReadOnly,
            Access::Write => FsPerms::ReadWrite,
        };
        // By descriptor, not by name: this is the directory that was granted even if another one
        // has its name by now.
        let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        builder.preopened_dir(path, guest, perms)?;
    }
    Ok(builder)
}
