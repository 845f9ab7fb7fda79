//! The worker's way to speak: one frame after the other, blocking until the host has room.

use crate::channel::send_frame;
use crate::outcome::LimitName;
use crate::record::{Record, Recorder};
use crate::wire::FromWorker;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The sending side of the control socket.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<OwnedFd>);

impl Outbox {
    pub(crate) fn new(socket: Arc<OwnedFd>) -> Self {
        Self(socket)
    }

    /// Sends one message. Without a host there is nobody to work for, so a failure ends the process.
    pub(crate) fn send(&self, message: &FromWorker) {
        if send_frame(&*self.0, message).is_err() {
            std::process::exit(125);
        }
    }
}

/// What the worker decides is recorded by the host, in the order in which it was decided.
impl Recorder for Outbox {
    fn record(&self, record: Record) {
        self.send(&FromWorker::Record(record));
    }

    /// The host says it of a call; a worker only reports its own end.
    fn over_limit(&self, _: LimitName) {}
}
