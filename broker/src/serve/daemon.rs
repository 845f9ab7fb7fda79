//! What all answers share.

use super::ServeError;
use super::checkers::Checkers;
use super::hub::Hub;
use super::idempotency::Remembered;
use crate::authority::{self, Desk, Issuer, Kill, KillError, Stale};
use crate::clock::{Clock, UnixMillis};
use crate::keys::{Jwks, KeySet, Purpose};
use crate::ledger::{Ledger, WriteError};
use crate::token::Verifier;
use crate::token::dpop::{Capacity, ProofVerifier, Target};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long to wait before following the ledger again after it could not be read.
const AGAIN: Duration = Duration::from_millis(200);
/// How often to see whether the keys can be used, and whether a next one takes over. Less than
/// [`PUBLISH_AHEAD`](crate::keys::PUBLISH_AHEAD), so that a rotation is not long overdue.
const KEYS: Duration = Duration::from_secs(30);
/// How soon to see again when they cannot.
const KEYS_AGAIN: Duration = Duration::from_secs(1);

/// The daemon behind its listeners.
pub(super) struct Daemon {
    pub(super) desk: Desk,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) issuer: Issuer,
    pub(super) checkers: Checkers,
    /// Proofs that come with a token that is to be revoked.
    pub(super) proofs: ProofVerifier,
    /// Where they have to be for.
    pub(super) revocation: Target,
    pub(super) remembered: Remembered,
    pub(super) hub: Arc<Hub>,
    /// Told when the daemon stops.
    pub(super) stopping: watch::Sender<bool>,
    host: String,
    /// The keys that tokens are checked with, made anew when they change.
    verifier: Mutex<(Jwks, Arc<Verifier>)>,
    /// Why no token can be signed now.
    keys: Mutex<Option<String>>,
    /// What was killed and is not in the ledger. Nothing is active until it is.
    unrecorded: watch::Sender<Vec<Kill>>,
}

/// Why nothing can be said now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The ledger does not say what is so.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The ledger says what is not so any more.
    #[error("a kill is not in the ledger yet; it is tried again")]
    Unrecorded,
}

impl Daemon {
    pub(super) fn open(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        issuer: Issuer,
        checkers: Checkers,
    ) -> Result<Self, ServeError> {
        let host = host(&issuer.url).ok_or(ServeError::Issuer)?;
        let revocation = format!("{}/revoke", issuer.url);
        let revocation = Target::parse(&revocation).ok_or(ServeError::Issuer)?;
        let desk = Desk::open(Arc::clone(&ledger), Arc::clone(&clock))?;
        Ok(Self {
            desk,
            ledger,
            clock,
            issuer,
            checkers,
            proofs: ProofVerifier::new(Capacity::default(), None),
            revocation,
            remembered: Remembered::default(),
            hub: Arc::default(),
            stopping: watch::Sender::new(false),
            host,
            verifier: Mutex::new((Jwks::default(), Arc::new(Verifier::new(KeySet::default())))),
            keys: Mutex::new(None),
            unrecorded: watch::Sender::default(),
        })
    }

    /// Says whether that is the name of this server.
    pub(super) fn goes_by(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let default = if self.issuer.url.starts_with("https:") { ":443" } else { ":80" };
        name == self.host || name.strip_suffix(default).is_some_and(|name| name == self.host)
    }

    /// Checks tokens with the keys that are published now. A key that was removed is not among them.
    pub(super) fn verifier(&self, now: UnixMillis) -> Arc<Verifier> {
        let published = self.desk.read(|state, _| state.keys(Purpose::Access).jwks(now));
        let mut verifier = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        if verifier.0 != published {
            let document = serde_json::to_vec(&published).unwrap_or_default();
            // Our own keys can be read; if not, no token can.
            let keys = KeySet::parse(&document).unwrap_or_default();
            *verifier = (published, Arc::new(Verifier::new(keys)));
        }
        Arc::clone(&verifier.1)
    }

    /// Takes in what other processes record, for as long as there is a ledger.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            match self.desk.authority().follow().await {
                WriteError::Unavailable(_) | WriteError::Contended => sleep(AGAIN).await,
                // Sealed: every answer says so, and only a new start helps.
                _ => return,
            }
        }
    }

    /// Keeps a key at hand that signs, so that checkers know it before it does.
    pub(super) async fn keep_keys(self: Arc<Self>) {
        loop {
            let signer = self.desk.authority().signer(&self.issuer.files, Purpose::Access).await;
            let why = signer.err().map(|error| error.to_string());
            let pause = if why.is_some() { KEYS_AGAIN } else { KEYS };
            *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = why;
            sleep(pause).await;
        }
    }

    /// Says why no token can be signed, if that is so.
    pub(super) fn key_trouble(&self) -> Option<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes sure that what is read next is everything that was recorded before this call.
    pub(super) async fn fresh(&self) -> Result<UnixMillis, Trouble> {
        if !self.unrecorded.borrow().is_empty() {
            return Err(Trouble::Unrecorded);
        }
        let now = self.desk.fresh().await?;
        // A kill that failed meanwhile comes before this answer.
        if self.unrecorded.borrow().is_empty() { Ok(now) } else { Err(Trouble::Unrecorded) }
    }

    /// Says nothing about anything until a kill that failed to be recorded is in the ledger.
    pub(super) fn withhold(&self, kill: Kill) {
        self.unrecorded.send_modify(|kills| {
            if !kills.contains(&kill) {
                kills.push(kill);
            }
        });
    }

    /// Records kills that could not be recorded, as soon as that is possible.
    pub(super) async fn keep_killing(self: Arc<Self>) {
        let mut unrecorded = self.unrecorded.subscribe();
        loop {
            let waiting = unrecorded.wait_for(|kills| !kills.is_empty());
            // The sender lives as long as the daemon.
            let Ok(Some(kill)) = waiting.await.map(|kills| kills.first().cloned()) else { return };
            sleep(AGAIN).await;
            let (ledger, clock) = (Arc::clone(&self.ledger), Arc::clone(&self.clock));
            let done = match authority::kill(ledger, clock, kill.clone()).await {
                Ok(receipt) => receipt.durable,
                Err(KillError::NotLive(_)) => true,
                Err(_) => false,
            };
            if done {
                self.unrecorded.send_modify(|kills| kills.retain(|other| *other != kill));
            }
        }
    }

    pub(super) fn look(&self) {
        self.desk.authority().look();
    }
}

/// The host and port of the issuer's URL, which has nothing after them.
fn host(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
    (!rest.is_empty() && rest.bytes().all(plain)).then(|| rest.to_owned())
}
