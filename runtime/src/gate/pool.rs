//! Upstream connections that wait for the next request of the same task to the same origin.

use super::body::OutBody;
use super::tasks::Tasks;
use hyper::client::conn::{http1, http2};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use writ_broker::ask::Scheme;
use writ_broker::grant::CredentialName;
use writ_broker::host::Authority;

/// How long a connection may wait.
const IDLE: Duration = Duration::from_secs(30);
/// How many connections of one task may wait; the oldest goes first.
const MAX_IDLE: usize = 16;

/// A decided place. Two origins never share a connection, even at one address; nor do requests with
/// different credentials, because some servers take a connection for logged in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) credential: Option<CredentialName>,
}

/// The sending half of a connection. Its other half is a future of the task.
pub(super) enum Sender {
    /// One exchange at a time; the handle ends the connection.
    Http1(http1::SendRequest<OutBody>, AbortHandle),
    /// Many exchanges at a time.
    Http2(http2::SendRequest<OutBody>),
}

impl Sender {
    /// Waits until the connection takes a request; false if it is closed.
    pub(super) async fn ready(&mut self) -> bool {
        match self {
            Self::Http1(sender, _) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender, _) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }
}

/// A connection and what was decided about it.
pub(super) struct Upstream {
    pub(super) origin: Origin,
    /// The addresses that were checked when it was dialled.
    pub(super) addresses: Arc<[SocketAddr]>,
    pub(super) sender: Sender,
}

impl Upstream {
    /// Returns a second handle where the protocol carries many exchanges.
    fn share(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else { return None };
        Some(Self {
            origin: self.origin.clone(),
            addresses: Arc::clone(&self.addresses),
            sender: Sender::Http2(sender.clone()),
        })
    }
}

/// The waiting connections of one task.
pub(super) struct Pool {
    state: Mutex<State>,
    tasks: Tasks,
    patience: Duration,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    idle: VecDeque<(Instant, Upstream)>,
    reaping: bool,
}

impl Pool {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { state: Mutex::default(), tasks, patience: IDLE }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a waiting connection to exactly this origin, the most recently used first.
    pub(super) fn take(&self, origin: &Origin) -> Option<Upstream> {
        let mut state = self.state();
        state.idle.retain(|(_, upstream)| !upstream.sender.is_closed());
        let at = state.idle.iter().rposition(|(_, upstream)| upstream.origin == *origin)?;
        let (_, upstream) = state.idle.remove(at)?;
        if let Some(shared) = upstream.share() {
            state.idle.push_back((Instant::now(), shared));
        }
        Some(upstream)
    }

    /// Offers a connection whose exchange is over.
    pub(super) fn put(self: &Arc<Self>, upstream: Upstream) {
        let shared = matches!(upstream.sender, Sender::Http2(_));
        if !shared && !upstream.sender.is_closed() {
            self.insert(upstream);
        }
    }

    /// Offers a new connection that carries many exchanges to others at once.
    pub(super) fn offer(self: &Arc<Self>, upstream: &Upstream) {
        if let Some(shared) = upstream.share() {
            self.insert(shared);
        }
    }

    fn insert(self: &Arc<Self>, upstream: Upstream) {
        let mut state = self.state();
        if state.idle.len() >= MAX_IDLE {
            state.idle.pop_front();
        }
        state.idle.push_back((Instant::now(), upstream));
        if !std::mem::replace(&mut state.reaping, true) {
            let pool = Arc::clone(self);
            drop(self.tasks.spawn(async move { pool.reap().await }));
        }
    }

    /// Closes what has waited too long, until nothing waits.
    async fn reap(&self) {
        while let Some(next) = self.close_expired() {
            tokio::time::sleep_until(next).await;
        }
    }

    fn close_expired(&self) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        state.idle.retain(|(since, _)| *since + self.patience > now);
        let next = state.idle.front().map(|(since, _)| *since + self.patience);
        state.reaping = next.is_some();
        next
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, DuplexStream};
    use writ_broker::host::Host;

    fn origin(name: &str) -> Origin {
        let authority = Authority { host: Host::Name(name.to_owned()), port: 80 };
        Origin { scheme: Scheme::Http, authority, credential: None }
    }

    /// A waiting connection, and the upstream's end of it.
    async fn connection(tasks: &Tasks, name: &str) -> (Upstream, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        let (sender, driver) = http1::handshake(TokioIo::new(ours)).await.unwrap();
        let driver = tasks.spawn(async move { drop(driver.await) }).unwrap();
        let sender = Sender::Http1(sender, driver);
        (Upstream { origin: origin(name), addresses: Arc::new([]), sender }, theirs)
    }

    #[tokio::test]
    async fn a_connection_that_waits_too_long_is_closed() {
        let tasks = Tasks::default();
        let patience = Duration::from_millis(20);
        let pool = Arc::new(Pool { patience, ..Pool::new(tasks.clone()) });
        let (upstream, mut theirs) = connection(&tasks, "a.test").await;

        pool.put(upstream);

        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "closed without a byte");
        assert!(pool.take(&origin("a.test")).is_none());
    }

    #[tokio::test]
    async fn the_oldest_connection_makes_room() {
        let tasks = Tasks::default();
        let pool = Arc::new(Pool::new(tasks.clone()));
        let (first, mut its_end) = connection(&tasks, "first.test").await;
        pool.put(first);
        let mut ends = Vec::new();
        for _ in 0..MAX_IDLE {
            let (upstream, end) = connection(&tasks, "a.test").await;
            pool.put(upstream);
            ends.push(end);
        }

        assert_eq!(its_end.read(&mut [0]).await.unwrap(), 0);
        assert!(pool.take(&origin("first.test")).is_none());
        assert!(pool.take(&origin("b.test")).is_none());
        assert!(pool.take(&origin("a.test")).is_some());
    }
}
