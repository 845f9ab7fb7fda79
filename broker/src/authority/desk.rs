//! Asking what is so, without waiting for a turn to write.
//!
//! A daemon is asked about tokens all the time, and must not answer with what was so a moment ago: a
//! kill from another process is over when it returns. So each question first looks where the log ends,
//! which takes microseconds and no lock that a writer needs; many that wait share one look.

use super::live::Live;
use super::shown::{Notice, Shown};
use super::{Authority, Watched};
use crate::clock::{Clock, UnixMillis};
use crate::ledger::{Cause, Head, Ledger, Pace, ReadError, WriteError, Writer};
use crate::state::{NotNow, State};
use crate::token::LEASE;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

/// How many questions may wait for a look. More make their askers wait before.
const WAITING: usize = 1024;

/// Why it cannot be said what is so. Whoever asked must refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stale {
    /// The ledger cannot be followed.
    #[error(transparent)]
    Followed(#[from] WriteError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger did not answer within the freshness lease.
    #[error("the ledger did not answer within {} s", LEASE.as_secs())]
    Late,
    /// The clock is behind the ledger.
    #[error(transparent)]
    Clock(#[from] NotNow),
}

type Look = oneshot::Sender<Result<Head, ReadError>>;

/// An authority that shows its durable state.
pub struct Desk {
    authority: Arc<Authority>,
    shown: Arc<Shown>,
    looks: mpsc::Sender<Look>,
}

impl Desk {
    /// Replays the ledger and starts to write, as [`Authority::open`] does, and to look.
    pub fn open(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Result<Self, WriteError> {
        let (watched, shown) = (Arc::new(Watched::default()), Arc::new(Shown::default()));
        let live = Live::showing(Arc::clone(&watched), Arc::clone(&shown));
        let writer = Writer::spawn(Arc::clone(&ledger), live, Pace::default())?;
        let looks = look_at(Arc::clone(&ledger))?;
        let authority =
            Arc::new(Authority { writer, ledger, clock, watched, deaf: Mutex::default() });
        Ok(Self { authority, shown, looks })
    }

    /// Returns the authority, for what is to be recorded.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Makes sure that what is shown is everything that was recorded before this call, and returns the
    /// time that goes with it. It takes the freshness lease at most, and then fails.
    pub async fn fresh(&self) -> Result<UnixMillis, Stale> {
        let Authority { writer, clock, .. } = &*self.authority;
        let looking = async {
            if let Some(sealed) = writer.sealed() {
                return Err(sealed.into());
            }
            let head = self.look().await?;
            if head.seq > writer.applied() {
                writer.catch_up().await?;
            }
            let now = clock.now();
            self.shown.read(|state, _| state.clock(now))?;
            Ok(now)
        };
        timeout(LEASE, looking).await.unwrap_or(Err(Stale::Late))
    }

    /// Reads what is shown. Nothing may wait in it.
    pub fn read<T>(&self, read: impl FnOnce(&State, Head) -> T) -> T {
        self.shown.read(read)
    }

    /// Says whether a token is good now.
    pub async fn is_active(&self, jti: &str) -> Result<bool, Stale> {
        let now = self.fresh().await?;
        Ok(self.shown.read(|state, _| state.is_active(jti, now)))
    }

    /// Tells of everything that ends from now on.
    pub fn notices(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.shown.notices()
    }

    async fn look(&self) -> Result<Head, Stale> {
        let (reply, answer) = oneshot::channel();
        let stopped = |_| Stale::Followed(WriteError::Stopped);
        self.looks.send(reply).await.map_err(|_| stopped(()))?;
        Ok(answer.await.map_err(|_| stopped(()))??)
    }
}

/// Starts the thread that looks: a disk that hangs holds up nothing else. It ends with the desk.
fn look_at(ledger: Arc<dyn Ledger>) -> Result<mpsc::Sender<Look>, WriteError> {
    let (looks, mut asked) = mpsc::channel::<Look>(WAITING);
    let look = move || {
        while let Some(first) = asked.blocking_recv() {
            // Everybody who has asked by now is answered by one look that begins after.
            let mut waiting = vec![first];
            while let Ok(next) = asked.try_recv() {
                waiting.push(next);
            }
            let head = ledger.head();
            for reply in waiting {
                // Who has stopped waiting needs no answer.
                let _ = reply.send(head.clone());
            }
        }
    };
    let thread = std::thread::Builder::new().name("writ-look".to_owned()).spawn(look);
    thread.map_err(|error| {
        WriteError::Unavailable(Cause::Io(format!("no thread for the ledger: {error}")))
    })?;
    Ok(looks)
}
