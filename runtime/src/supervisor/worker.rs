//! One worker process, as the host holds it.

use crate::channel::{Inbox, receive, receive_soon, send_when_ready};
use crate::confinement::{Confinement, Layer, Requirement};
use crate::tally::Tally;
use crate::wire::{Arm, Fault, FromWorker, ToWorker, WireError};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use writ_broker::codes;

/// The most that is kept of a dying worker's last words, bytes.
const LAST_WORDS: u64 = 4096;

/// How long a killed worker's last words may take to arrive.
const LAST_WORDS_GRACE: Duration = Duration::from_millis(100);

/// How long a worker may take to confine itself: milliseconds, and more on a busy machine.
const ARM_GRACE: Duration = Duration::from_secs(10);

/// How a worker is started: our own binary with a hidden subcommand.
#[derive(Debug, Clone)]
pub struct WorkerProgram {
    /// The binary.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// A worker process. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    control: tokio::net::UnixStream,
    inbox: Inbox,
    egress: Option<UnixStream>,
    written: Tally,
}

impl Worker {
    /// Starts a worker that knows nothing yet. Must be called inside a tokio runtime, from a thread
    /// that lives as long as the worker: the kernel ties the two together.
    pub fn start(program: &WorkerProgram) -> std::io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let (egress, their_egress) = UnixStream::pair()?;
        let child = Command::new(&program.path)
            .args(&program.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(their_egress)))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        control.set_nonblocking(true)?;
        Ok(Self {
            child,
            control: tokio::net::UnixStream::from_std(control)?,
            inbox: Inbox::without_descriptors(),
            egress: Some(egress),
            written: Tally::new()?,
        })
    }

    /// Returns the process id, until the worker is reaped.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Hands the worker its grant; from here on it is confined. `descriptors` are the granted
    /// directories in the order of the arms, then the artifact cache.
    pub async fn arm(
        &mut self,
        arm: Arm,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Confinement, Fault> {
        let require = arm.require;
        let answer = tokio::time::timeout(ARM_GRACE, async {
            self.send_arms(arm, descriptors).await?;
            self.next().await
        });
        let late = |_| Fault::new(codes::WORKER_DIED, "a worker did not confine itself in time");
        let confinement = match answer.await.map_err(late)? {
            Ok(FromWorker::Armed(confinement)) => confinement,
            Ok(_) => {
                return Err(Fault::new(codes::WORKER_DIED, "a worker spoke before it was armed"));
            }
            Err(error) => return Err(lost(&error)),
        };
        if require == Requirement::Full && confinement.weakest() < Layer::Full {
            let report = serde_json::to_string(&confinement).unwrap_or_default();
            let message = format!("this machine confines less than was required: {report}");
            return Err(Fault::new(codes::CONFINEMENT, message));
        }
        Ok(confinement)
    }

    async fn send_arms(&self, arm: Arm, descriptors: &[BorrowedFd<'_>]) -> Result<(), WireError> {
        let written = (!arm.compiler).then(|| self.written.as_fd());
        let descriptors: Vec<_> = descriptors.iter().copied().chain(written).collect();
        self.send(&ToWorker::Arm(arm), &descriptors).await
    }

    /// Tells a worker that is not armed yet what its task has written to files, bytes.
    pub(super) fn has_written(&self, bytes: u64) {
        self.written.set(bytes);
    }

    /// Returns what its task has written to files by the worker's own count, bytes.
    pub(super) fn written(&self) -> u64 {
        self.written.get()
    }

    /// Takes the egress socket, once, for the gate.
    pub fn take_egress(&mut self) -> Option<UnixStream> {
        self.egress.take()
    }

    /// Sends one message.
    pub async fn send(
        &self,
        message: &ToWorker,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), WireError> {
        send_when_ready(&self.control, message, descriptors).await
    }

    /// Waits for the next message. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FromWorker, WireError> {
        receive(&self.control, &mut self.inbox).await
    }

    /// Waits for a message that may come at once, as the answer to a call does.
    pub(super) async fn next_soon(&mut self) -> Result<FromWorker, WireError> {
        receive_soon(&self.control, &mut self.inbox).await
    }

    /// Kills the process at once, whatever it is doing; [`reap`](Self::reap) waits for it to be gone.
    pub fn kill(&mut self) {
        // It fails only when the process was reaped already.
        let _ = self.child.start_kill();
    }

    /// Waits until the process is gone and its memory is back.
    pub async fn reap(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills the process and waits until it is gone: for one that is not needed after all.
    pub async fn end(mut self) {
        self.kill();
        // It was killed: how it ended is known.
        let _ = self.reap().await;
    }

    /// Waits for a process that hung up on its own and says what became of it.
    pub async fn autopsy(&mut self) -> Autopsy {
        // First: one that hung up may well live on. A process that is dying keeps its own signal.
        self.kill();
        let mut words = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let read = async {
                // What cannot be read is not said.
                let _ = stderr.take(LAST_WORDS).read_to_end(&mut words).await;
            };
            // The other end may live on as well, in a message that nobody will read.
            let _ = tokio::time::timeout(LAST_WORDS_GRACE, read).await;
        }
        let signal = self.reap().await.ok().and_then(|status| status.signal());
        Autopsy { signal, last_words: String::from_utf8_lossy(&words).trim().to_owned() }
    }
}

/// What became of a worker that ended without saying so.
#[derive(Debug)]
pub struct Autopsy {
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed last, unescaped.
    pub last_words: String,
}

impl Autopsy {
    /// Returns whether it ran out of the memory that its rlimit allows.
    pub fn out_of_memory(&self) -> bool {
        self.last_words.contains("memory allocation of")
    }

    /// Says so as our own fault.
    pub fn fault(&self) -> Fault {
        let how = match self.signal {
            Some(signal) => format!("a worker was ended by signal {signal}"),
            None => "a worker hung up".to_owned(),
        };
        let words = if self.last_words.is_empty() { "it said nothing" } else { &self.last_words };
        Fault::new(codes::WORKER_DIED, format!("{how}: {words}"))
    }
}

pub(super) fn lost(error: &WireError) -> Fault {
    Fault::new(codes::WORKER_DIED, format!("the worker was lost: {error}"))
}
