//! The worker process: one task, its directories, no network, no secrets.
//!
//! Its standard input is the control socket, its standard output the egress socket; it has nothing
//! else. It confines itself, then does what the host says, one call at a time, until the host
//! hangs up.

mod compile;
pub mod confine;
pub mod describe;
mod ending;
pub mod engine;
pub mod host;
mod linker;
mod meter;
mod outbox;
mod sandbox;
mod serve;
mod state;
mod stdio;
mod ticker;
mod tool;
pub mod values;

use crate::channel::Inbox;
use crate::confinement::{Layer, Requirement};
use crate::tally::Tally;
use crate::wire::{Arm, FromWorker, ToWorker, WireError};
use confine::{Keep, confine, isolate};
use outbox::Outbox;
use rustix::net::RecvFlags;
use std::error::Error as _;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use ticker::Ticker;
use tokio::runtime::Runtime;
use writ_broker::grant::Access;

pub(crate) use engine::REVISION;

/// The exit code of a worker that could not go on; the host reports it as its own fault.
const BROKEN: i32 = 125;

/// How long the one blocking thread of the runtime waits for work: for ever. None could take its
/// place.
const KEEP_ALIVE: Duration = Duration::from_secs(u32::MAX as u64);

/// A worker that is confined and waits for work.
#[derive(Debug)]
pub struct Armed {
    control: Arc<OwnedFd>,
    egress: OwnedFd,
    runtime: Runtime,
    ticker: Ticker,
    inbox: Inbox,
    arm: Arm,
    directories: Vec<(OwnedFd, Access)>,
    /// Where it counts what it writes to files; a compiler writes none.
    written: Option<Tally>,
}

/// Runs a worker to its end: the whole `main` of the hidden subcommand.
pub fn main() -> ! {
    let done = arm().and_then(|armed| {
        if armed.arm.compiler { compile::serve(armed) } else { serve::serve(armed) }
    });
    match done {
        // The host hung up: it is done with this worker, or it is gone.
        Ok(()) | Err(WireError::Closed) => std::process::exit(0),
        Err(error) => {
            // The host reads a dying worker's last words. If it does not, nobody can be told.
            let _ = writeln!(std::io::stderr(), "{error}: {:?}", error.source());
            std::process::exit(BROKEN)
        }
    }
}

/// Isolates this process, waits for its arms and confines it.
///
/// Public for the tests' probe, which tries to break out of the second wall without the first.
pub fn arm() -> Result<Armed, WireError> {
    let descriptors = isolate();
    let control = Arc::new(take_over(std::io::stdin().as_fd())?);
    let egress = take_over(std::io::stdout().as_fd())?;
    let mut inbox = Inbox::default();
    let arm = loop {
        match inbox.next()? {
            Some(ToWorker::Arm(arm)) => break arm,
            Some(_) => return Err(std::io::Error::other("work came before arms").into()),
            None => inbox.fill(&*control, RecvFlags::empty())?,
        };
    };
    let mut directories = Vec::new();
    for directory in &arm.directories {
        directories.push((inbox.descriptor()?, directory.access));
    }
    let artifacts = if arm.compiler { None } else { Some(inbox.descriptor()?) };
    let written = if arm.compiler { None } else { Some(Tally::from_host(inbox.descriptor()?)) };
    // Before the filter closes: the runtime's signal driver wants a socket pair, used or not.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Look at the sockets after every poll of the guest: it lets go only once per tick.
        .event_interval(1)
        .max_blocking_threads(1)
        .thread_keep_alive(KEEP_ALIVE)
        .build()?;
    let keep = Keep {
        directories: &directories,
        artifacts: artifacts.as_ref().map(AsFd::as_fd),
        limits: &arm.limits,
    };
    let (confinement, ticker) = confine(&keep, descriptors, || threads(&runtime, arm.compiler))?;
    let refused = arm.require == Requirement::Full && confinement.weakest() < Layer::Full;
    let armed = Armed { control, egress, runtime, ticker, inbox, arm, directories, written };
    armed.outbox().send(&FromWorker::Armed(confinement));
    if refused { Err(WireError::Closed) } else { Ok(armed) }
}

/// Starts every thread that a worker ever has.
fn threads(runtime: &Runtime, compiler: bool) -> std::io::Result<Ticker> {
    if compiler {
        // Cranelift's threads.
        rayon::ThreadPoolBuilder::new().build_global().map_err(std::io::Error::other)?;
    } else {
        // The thread that writes to files while the guest goes on; it stays for the next write.
        drop(runtime.spawn_blocking(|| ()));
    }
    Ticker::spawn()
}

/// Moves a standard stream to a descriptor of its own and puts `/dev/null` in its place, so that a
/// stray read or print cannot reach the host.
fn take_over(stream: std::os::fd::BorrowedFd<'_>) -> Result<OwnedFd, WireError> {
    let io = |error: rustix::io::Errno| WireError::from(std::io::Error::from(error));
    let moved = rustix::io::fcntl_dupfd_cloexec(stream, 3).map_err(io)?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty()).map_err(io)?;
    match stream.as_raw_fd() {
        0 => rustix::stdio::dup2_stdin(&null),
        _ => rustix::stdio::dup2_stdout(&null),
    }
    .map_err(io)?;
    Ok(moved)
}

impl Armed {
    fn outbox(&self) -> Outbox {
        Outbox::new(self.control.clone())
    }

    /// Blocks until the next message.
    fn next(&mut self) -> Result<ToWorker, WireError> {
        loop {
            if let Some(message) = self.inbox.next()? {
                return Ok(message);
            }
            self.inbox.fill(&*self.control, RecvFlags::empty())?;
        }
    }
}
