//! What ends a run from outside: a person, another program, or a kill in the ledger.

use crate::output::OurFault;
use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why a run was ended from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// By the person at the keyboard.
    #[error("interrupted")]
    Interrupted,
    /// By another program, such as a supervisor or `timeout`.
    #[error("terminated")]
    Terminated,
    /// In the ledger.
    #[error("killed{0}")]
    Killed(String),
}

impl Ended {
    /// Returns the exit code, as a shell reports the signal.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Killed(_) => 137,
        }
    }
}

/// Listens for both signals. From here on they end nothing by themselves: whatever may take long
/// has to listen.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen. Must be called inside a tokio runtime.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context(OurFault("no signals can be heard"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of them. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Ended {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Ended::Interrupted,
            Some(()) = self.terminate.recv() => Ended::Terminated,
            else => std::future::pending().await,
        }
    }
}
