//! Everything a component may import, and nothing else.

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::WasiRandom;

use super::files::p2::FilesView;
use super::http::HttpView;
use super::sockets::SocketsView;
use super::{files, http, sockets};

/// One store's state, as the host's functions see it.
pub trait GuestView: WasiView {
    /// Lends the files.
    fn files(&mut self) -> FilesView<'_>;
    /// Lends `wasi:http`.
    fn http(&mut self) -> HttpView<'_>;
    /// Lends the sockets.
    fn sockets(&mut self) -> SocketsView<'_>;
}

/// Adds all of WASI 0.2 to a linker: files guarded, everything that leaves the machine by the gate.
pub fn add_to_linker<T: GuestView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    // Streams, polling, clocks, secure random numbers and the standard streams.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<T, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, |state| {
        state.ctx().ctx.random()
    })?;
    cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    files::p2::add_to_linker(linker, T::files)?;
    sockets::add_to_linker(linker, T::sockets)?;
    http::add_to_linker(linker)
}
