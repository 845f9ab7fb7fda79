//! The conversation with a worker about one call, from its first word to its last.

use super::hearsay;
use super::running::Running;
use super::watch::cpu_exhausted;
use super::worker::Worker;
use crate::outcome::{LimitName, Outcome};
use crate::record::Recorder;
use crate::wire::{Fault, Finished, FromWorker, MAX_CHUNK, ToWorker, WireError};
use bytes::Bytes;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use writ_broker::{Grant, Limits};

/// How long a cancelled call may take to end before its worker is killed.
const CANCEL_GRACE: Duration = Duration::from_millis(100);

/// How long a reader may take for the last of the output of a call that has ended.
const FLUSH_GRACE: Duration = Duration::from_secs(5);

/// Where a call's standard streams lead.
pub struct CallIo<'a> {
    /// Read only when the guest asks.
    pub stdin: &'a mut (dyn AsyncRead + Send + Unpin),
    /// Everything the guest prints, as it prints it.
    pub stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// What it prints on standard error.
    pub stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
}

impl CallIo<'_> {
    /// Flushes both outputs. A reader that is stuck holds nothing up for long, and one that has gone
    /// is no failure.
    pub(super) async fn flush(&mut self) {
        let flushed = async { tokio::join!(self.stdout.flush(), self.stderr.flush()) };
        let _ = tokio::time::timeout(FLUSH_GRACE, flushed).await;
    }
}

/// How a call is ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Gently: the task lives on, with its worker if the guest lets go within 100 ms.
    Cancel,
    /// At once, together with the worker.
    Kill,
}

/// How the conversation with the worker about one call ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The worker says how.
    Finished(Finished),
    /// It was ended from outside; the worker is no more.
    From(Outcome),
}

/// What the host itself holds a call to.
pub(super) struct Bounds<'a> {
    /// When it ends at the latest, and which bound that is.
    deadline: (Instant, LimitName),
    /// The CPU time that the worker may have used then, from its start.
    cpu: Duration,
    grant: &'a Grant,
}

impl<'a> Bounds<'a> {
    /// The bounds of a call that begins now, in a task that ends at a deadline and whose earlier
    /// workers have used some of its CPU time.
    pub(super) fn new(
        grant: &'a Grant,
        started: Instant,
        deadline: Option<Instant>,
        cpu_spent: Duration,
    ) -> Self {
        let cpu = Duration::from_millis(grant.limits.cpu_ms).saturating_sub(cpu_spent);
        let wall = started + Duration::from_millis(grant.limits.wall_ms);
        let deadline = match deadline {
            Some(deadline) if deadline < wall => (deadline, LimitName::Ttl),
            _ => (wall, LimitName::Wall),
        };
        Self { deadline, cpu, grant }
    }

    fn limits(&self) -> &Limits {
        &self.grant.limits
    }
}

/// Why the conversation with a worker stopped without an end of the call.
pub(super) enum Gone {
    Refused(Fault),
    Died,
    Lost(WireError),
}

impl From<WireError> for Gone {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Closed => Self::Died,
            error => Self::Lost(error),
        }
    }
}

impl Running {
    /// Has the worker run a call until it ends by itself, by a bound or by an interrupt.
    pub(super) async fn converse(
        &mut self,
        (call, artifact): (ToWorker, BorrowedFd<'_>),
        io: &mut CallIo<'_>,
        bounds: &Bounds<'_>,
        interrupt: impl Future<Output = Interrupt>,
        recorder: &dyn Recorder,
    ) -> Result<Ended, Gone> {
        let pid = self.worker.id().ok_or(Gone::Died)?;
        let over = |limit| Ok(Ended::From(Outcome::OverLimit { limit }));
        let (deadline, name) = bounds.deadline;
        let worker = &mut self.worker;
        let talk = async {
            worker.send(&call, &[artifact]).await?;
            Talk::new(bounds, recorder).run(worker, io).await
        };
        tokio::select! {
            biased;
            interrupt = interrupt => match interrupt {
                Interrupt::Kill => return Ok(Ended::From(Outcome::Killed)),
                Interrupt::Cancel => {}
            },
            Some(limit) = self.over_limit.recv() => return over(limit),
            () = tokio::time::sleep_until(deadline.into()) => return over(name),
            () = cpu_exhausted(pid, bounds.cpu) => return over(LimitName::Cpu),
            ended = talk => return ended,
        }
        self.cancel(io, bounds, recorder).await
    }

    /// Asks for the end of the call, and takes it if the worker does not answer in time.
    async fn cancel(
        &mut self,
        io: &mut CallIo<'_>,
        bounds: &Bounds<'_>,
        recorder: &dyn Recorder,
    ) -> Result<Ended, Gone> {
        let worker = &mut self.worker;
        let talk = async {
            worker.send(&ToWorker::Cancel, &[]).await?;
            Talk::new(bounds, recorder).run(worker, io).await
        };
        match tokio::time::timeout(CANCEL_GRACE, talk).await {
            Ok(ended) => ended,
            Err(_) => Ok(Ended::From(Outcome::Killed)),
        }
    }
}

/// The host's side of the talk: what it still takes from the worker.
struct Talk<'a> {
    bounds: &'a Bounds<'a>,
    recorder: &'a dyn Recorder,
    stdout: u64,
    stderr: u64,
    denials: u64,
    wants_input: bool,
    /// Whether the guest has done something; then it is too late to refuse the call.
    begun: bool,
}

impl<'a> Talk<'a> {
    fn new(bounds: &'a Bounds<'a>, recorder: &'a dyn Recorder) -> Self {
        // The worker counts as well; here it is counted by the side that the guest did not break.
        let Limits { stdout, stderr, denials, .. } = *bounds.limits();
        Self { bounds, recorder, stdout, stderr, denials, wants_input: false, begun: false }
    }

    /// Takes the worker's words until it says that the call has ended.
    async fn run(mut self, worker: &mut Worker, io: &mut CallIo<'_>) -> Result<Ended, Gone> {
        let first = worker.next_soon().await?;
        if let Some(ended) = self.take(first, io).await? {
            return Ok(ended);
        }
        let mut piece = Vec::new();
        loop {
            let message = tokio::select! {
                message = worker.next() => message?,
                read = read_piece(io.stdin, &mut piece), if self.wants_input => {
                    // What cannot be read is, for the guest, the end of its input.
                    let count = read.unwrap_or(0);
                    self.wants_input = false;
                    let bytes = Bytes::copy_from_slice(&piece[..count]);
                    worker.send(&ToWorker::Stdin(bytes), &[]).await?;
                    continue;
                }
            };
            if let Some(ended) = self.take(message, io).await? {
                return Ok(ended);
            }
        }
    }

    async fn take(
        &mut self,
        message: FromWorker,
        io: &mut CallIo<'_>,
    ) -> Result<Option<Ended>, Gone> {
        match message {
            FromWorker::Finished(finished) => return Ok(Some(Ended::Finished(finished))),
            FromWorker::Refused(fault) if !self.begun => {
                return Err(Gone::Refused(hearsay::fault(fault)));
            }
            FromWorker::Stdout(bytes) => pass(io.stdout, &bytes, &mut self.stdout).await,
            FromWorker::Stderr(bytes) => pass(io.stderr, &bytes, &mut self.stderr).await,
            FromWorker::WantStdin if !self.wants_input => self.wants_input = true,
            FromWorker::Record(record) => {
                let record = hearsay::record(record, self.bounds.grant).ok_or_else(out_of_turn)?;
                self.recorder.record(record);
                let Some(left) = self.denials.checked_sub(1) else {
                    let limit = LimitName::Denials;
                    return Ok(Some(Ended::From(Outcome::OverLimit { limit })));
                };
                self.denials = left;
            }
            FromWorker::Armed(_)
            | FromWorker::Compiled(_)
            | FromWorker::Refused(_)
            | FromWorker::WantStdin => return Err(out_of_turn()),
        }
        self.begun = true;
        Ok(None)
    }
}

fn out_of_turn() -> Gone {
    Gone::Lost(std::io::Error::other("a worker spoke out of turn").into())
}

async fn read_piece(
    stdin: &mut (dyn AsyncRead + Send + Unpin),
    piece: &mut Vec<u8>,
) -> std::io::Result<usize> {
    piece.resize(MAX_CHUNK, 0);
    stdin.read(piece).await
}

async fn pass(to: &mut (dyn AsyncWrite + Send + Unpin), bytes: &Bytes, left: &mut u64) {
    let fits = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= fits as u64;
    // A reader that has gone away ends the output, not the call.
    let _ = to.write_all(&bytes[..fits]).await;
}
