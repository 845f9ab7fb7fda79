//! The daemon: answers over HTTP about what the ledger says, to resource servers and to this machine.
//!
//! It shares the ledger with every other process of the machine and holds nothing that is not in it:
//! it can be started again at any time. Every answer about a token looks at the ledger first, so what
//! another process has killed is inactive here at once; when the ledger cannot be read, nothing is
//! active.
//!
//! Over TCP it speaks OAuth: metadata (RFC 8414), the key set, introspection (RFC 7662) for registered
//! checkers, revocation (RFC 7009), and it tells checkers what ends as it ends. Over its Unix socket, where the kernel says who asks, it also lists
//! and kills tasks.

mod answer;
mod body;
mod caller;
mod checkers;
mod connection;
mod daemon;
mod discovery;
mod events;
mod form;
mod health;
mod hub;
mod idempotency;
mod introspect;
mod kill;
mod listen;
mod openapi;
mod revoke;
mod routes;
mod tasks;
#[cfg(test)]
mod tests;

pub use checkers::{Checker, Checkers, CheckersError};
pub use listen::{Listen, TlsFiles};

use crate::authority::Issuer;
use crate::clock::Clock;
use crate::ledger::{Ledger, WriteError};
use connection::Front;
use daemon::Daemon;
use listen::Bound;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The ledger cannot be followed.
    #[error(transparent)]
    Ledger(#[from] WriteError),
    /// The URL of the issuer cannot be one.
    #[error("the issuer is a URL such as https://writ.example, without path, query and fragment")]
    Issuer,
    /// Nothing can listen there.
    #[error("{place}: {source}")]
    Listen {
        /// Where.
        place: String,
        /// The system's words.
        source: io::Error,
    },
    /// A daemon listens there already.
    #[error("{}: a daemon listens there already", .0.display())]
    Running(PathBuf),
    /// Others could put their own socket in the place of ours.
    #[error("{}: others can write its directory, or it is another user's; `chmod 700` it", .0.display())]
    Directory(PathBuf),
    /// Others could read what is sent there.
    #[error("{0} is for other machines and needs a certificate; or listen at 127.0.0.1")]
    Cleartext(SocketAddr),
    /// The certificate or its key cannot be used.
    #[error("{}: {why}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl ServeError {
    fn listen(place: impl Display, source: io::Error) -> Self {
        Self::Listen { place: place.to_string(), source }
    }
}

/// What a daemon is made of.
pub struct Settings {
    /// The ledger that it shares.
    pub ledger: Arc<dyn Ledger>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// In whose name tokens are signed, and where the keys are.
    pub issuer: Issuer,
    /// Who may ask about tokens over TCP.
    pub checkers: Checkers,
    /// Where it listens.
    pub listen: Vec<Listen>,
}

/// A daemon that listens, and answers once it [runs](Server::run).
pub struct Server {
    daemon: Arc<Daemon>,
    bound: Vec<Bound>,
}

impl Server {
    /// Replays the ledger and listens. It needs a tokio runtime with I/O and time.
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let Settings { ledger, clock, issuer, checkers, listen } = settings;
        let bound = listen.iter().map(Listen::bind).collect::<Result<_, _>>()?;
        let daemon = Arc::new(Daemon::open(ledger, clock, issuer, checkers)?);
        Ok(Self { daemon, bound })
    }

    /// Returns the addresses of its TCP listeners, with the ports that were free.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |bound: &Bound| match bound {
            Bound::Tcp(listener, _) => listener.local_addr().ok(),
            Bound::Unix(..) => None,
        };
        self.bound.iter().filter_map(address).collect()
    }

    /// Makes it look at the ledger now: another process has asked for it.
    pub fn looker(&self) -> impl Fn() + Send + Sync + 'static {
        let daemon = Arc::clone(&self.daemon);
        move || daemon.look()
    }

    /// Answers until it is told to stop, and then ends what it has begun, within seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { daemon, bound } = self;
        let told = daemon.stopping.subscribe();
        let mut background = JoinSet::new();
        background.spawn(Arc::clone(&daemon).follow());
        background.spawn(Arc::clone(&daemon).keep_keys());
        background.spawn(Arc::clone(&daemon).keep_killing());
        let mut fronts = JoinSet::new();
        for bound in bound {
            let router = match &bound {
                Bound::Unix(..) => routes::local(&daemon),
                Bound::Tcp(..) => routes::public(&daemon),
            };
            let front = Front { daemon: Arc::clone(&daemon), router, stopping: told.clone() };
            fronts.spawn(front.serve(bound));
        }
        stop.await;
        daemon.stopping.send_replace(true);
        while fronts.join_next().await.is_some() {}
        background.shutdown().await;
    }
}
