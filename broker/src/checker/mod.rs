//! Checking tokens of a broker, on the side of a resource server.
//!
//! A token is checked here in full: signature, every claim, and the proof of who sends it. Whether it
//! is still good is asked of the broker, and the answer is remembered for no longer than the freshness
//! lease; and only while a stream from the broker tells what ends, so that a kill takes effect here
//! before it returns there. Without the broker nothing is accepted.

mod known;
mod link;
mod refused;
mod stream;

pub use link::{Broker, BrokerError};
pub use refused::Refused;

use crate::clock::{Clock, UnixMillis};
use crate::keys::KeySet;
use crate::token::dpop::{Capacity, Nonces, ProofExpectations, ProofVerifier, Target};
use crate::token::{Audience, Claims, Expectations, Holder, Rejection, Verified, Verifier};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use known::Known;
use link::Link;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// How long a key set is used before it is fetched again.
const KEYS_KEPT: Duration = Duration::from_secs(60);
/// How soon it may be fetched again because of a key that it does not have. A stranger can name any.
const KEYS_AGAIN: Duration = Duration::from_secs(2);
/// How often a token is asked about when the stream breaks meanwhile.
const TRIES: usize = 3;

/// What a checker is made of.
pub struct Settings {
    /// Where the broker is.
    pub broker: Broker,
    /// A file of certificate authorities to trust beside Mozilla's.
    pub ca: Option<PathBuf>,
    /// The issuer, as it stands in tokens.
    pub issuer: String,
    /// The audience whose tokens are accepted, as it stands in tokens.
    pub audience: String,
    /// The secret under which the broker has this checker registered.
    pub secret: Zeroizing<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// With nonces, a proof without a current one is refused.
    pub nonces: Option<Nonces>,
}

/// Checks the tokens that requests bring.
pub struct Checker {
    shared: Arc<Shared>,
    proofs: ProofVerifier,
    listening: JoinHandle<()>,
}

struct Shared {
    link: Link,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    known: Known,
    keys: Mutex<Keys>,
    /// One fetch at a time.
    fetching: tokio::sync::Mutex<()>,
}

/// The key set as it was fetched last.
#[derive(Default)]
struct Keys {
    verifier: Option<Arc<Verifier>>,
    fetched: Option<UnixMillis>,
}

impl Checker {
    /// Starts to listen to the broker. It need not be there yet. It needs a tokio runtime.
    pub fn new(settings: Settings) -> Result<Self, BrokerError> {
        let Settings { broker, ca, issuer, audience, secret, clock, nonces } = settings;
        let shared = Arc::new(Shared {
            link: Link::new(broker, ca.as_deref(), &secret)?,
            issuer,
            audience,
            clock,
            known: Known::default(),
            keys: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        });
        let listening = tokio::spawn(stream::listen(Arc::clone(&shared)));
        Ok(Self { shared, proofs: ProofVerifier::new(Capacity::default(), nonces), listening })
    }

    /// Checks the token of one request: its method, the URL to which it came, and its headers.
    ///
    /// What it allows is for the caller to compare with the request: `scope`, `authorization_details`.
    pub async fn check(
        &self,
        method: &Method,
        url: &str,
        headers: &HeaderMap,
    ) -> Result<Verified<Claims>, Refused> {
        let Shared { clock, .. } = &*self.shared;
        let (scheme, token) = credentials(headers)?;
        let claims = self.verified(token).await?;
        match (scheme, &claims.bound_to) {
            (Scheme::Bearer, None) => {}
            (Scheme::Dpop, Some(bound_to)) => {
                let target = Target::parse(url).ok_or(Refused::Request)?;
                let mut proofs = headers.get_all("dpop").iter();
                let (Some(proof), None) = (proofs.next(), proofs.next()) else {
                    return Err(Refused::NoProof);
                };
                let proof = proof.to_str().map_err(|_| Refused::NoProof)?;
                let expected = ProofExpectations {
                    method: method.as_str(),
                    target: &target,
                    token: Some(token),
                };
                let now = clock.now();
                let key = self.proofs.verify(proof, &expected, now).map_err(|rejection| {
                    Refused::Proof { rejection, nonce: self.proofs.nonce(now) }
                })?;
                if *key != *bound_to {
                    return Err(Rejection::Binding.into());
                }
            }
            _ => return Err(Rejection::Binding.into()),
        }
        if self.shared.is_active(token, &claims.jti).await? {
            Ok(claims)
        } else {
            Err(Refused::Inactive)
        }
    }

    /// Says whether the stream from the broker is up, so that answers are remembered.
    pub fn is_fresh(&self) -> bool {
        self.shared.known.is_fresh(self.shared.clock.now())
    }

    /// Checks everything that the token says by itself.
    async fn verified(&self, token: &str) -> Result<Verified<Claims>, Refused> {
        let Shared { issuer, audience, clock, .. } = &*self.shared;
        // Who sends it is found out next.
        let holder = Holder::Inquirer;
        let expected = Expectations { issuer, audience: Audience::Is(audience), holder };
        let verifier = self.shared.verifier(KEYS_KEPT).await?;
        match verifier.verify(token, &expected, clock.now()) {
            Err(Rejection::UnknownKey) => {
                let verifier = self.shared.verifier(KEYS_AGAIN).await?;
                Ok(verifier.verify(token, &expected, clock.now())?)
            }
            checked => Ok(checked?),
        }
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    /// Returns the keys, fetching them if those at hand are older than that.
    async fn verifier(&self, oldest: Duration) -> Result<Arc<Verifier>, Refused> {
        if let Some(verifier) = self.kept(oldest) {
            return Ok(verifier);
        }
        let _one = self.fetching.lock().await;
        if let Some(verifier) = self.kept(oldest) {
            return Ok(verifier);
        }
        let asked = self.clock.now();
        let (status, document) =
            self.link.send(Method::GET, "/jwks", None).await.map_err(|_| Refused::Unavailable)?;
        let keys = (status == StatusCode::OK).then(|| KeySet::parse(&document).ok()).flatten();
        let verifier = Arc::new(Verifier::new(keys.ok_or(Refused::Unavailable)?));
        let fetched = Keys { verifier: Some(Arc::clone(&verifier)), fetched: Some(asked) };
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = fetched;
        Ok(verifier)
    }

    fn kept(&self, oldest: Duration) -> Option<Arc<Verifier>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let fetched = keys.fetched.filter(|fetched| *fetched <= now)?;
        keys.verifier.clone().filter(|_| now.saturating_since(fetched) < oldest)
    }

    fn forget_keys(&self) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Keys::default();
    }

    /// Finds out whether a token is good, by what is known or else by asking.
    async fn is_active(&self, token: &str, jti: &str) -> Result<bool, Refused> {
        for _ in 0..TRIES {
            let asked = self.clock.now();
            if self.known.is_good(jti, asked) {
                return Ok(true);
            }
            let before = self.known.epoch();
            if !self.ask(token, jti).await? {
                return Ok(false);
            }
            // A kill that returned while the answer was under way comes before it.
            if let Some(is_good) = self.known.good(jti, asked, before) {
                return Ok(is_good);
            }
        }
        Err(Refused::Unavailable)
    }

    /// Asks whether a token is good.
    async fn ask(&self, token: &str, jti: &str) -> Result<bool, Refused> {
        let form = format!("token={token}").into_bytes();
        let form = Some(("application/x-www-form-urlencoded", form));
        let answer = self.link.send(Method::POST, "/introspect", form).await;
        let (status, answer) = answer.map_err(|_| Refused::Unavailable)?;
        let answer = (status == StatusCode::OK).then_some(answer).ok_or(Refused::Unavailable)?;
        let answer = crate::strict_json::object(&answer, 12).ok_or(Refused::Unavailable)?;
        let says = |name: &str, what: &str| answer.get(name).and_then(|v| v.as_str()) == Some(what);
        match answer.get("active").and_then(serde_json::Value::as_bool) {
            Some(true) if says("jti", jti) && says("aud", &self.audience) => Ok(true),
            Some(false) => Ok(false),
            _ => Err(Refused::Unavailable),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Dpop,
    Bearer,
}

/// Finds the one token of a request.
fn credentials(headers: &HeaderMap) -> Result<(Scheme, &str), Refused> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let one = match (all.next(), all.next()) {
        (None, _) => return Err(Refused::NoToken),
        (Some(one), None) => one,
        (Some(_), Some(_)) => return Err(Refused::Request),
    };
    let (scheme, token) =
        one.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refused::NoToken)?;
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("dpop") => Ok((Scheme::Dpop, token)),
        scheme if scheme.eq_ignore_ascii_case("bearer") => Ok((Scheme::Bearer, token)),
        _ => Err(Refused::NoToken),
    }
}
