//! The authority as the gate sees it: it may stop a task at any request, and it has the credentials.

use crate::injection::Injection;
use crate::record::{Record, Recorder};
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use writ_broker::grant::CredentialName;
use writ_broker::{HttpAsk, Refusal, codes};

/// A future behind a pointer, so that the trait can be one.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Says whether one task may still act, and gives what its requests carry.
///
/// A refusal is recorded by the authority itself, because the authority decided it; the gate passes
/// it on. What an implementation leaves out is a host without a broker: it records and has nothing.
pub trait Authority: Recorder {
    /// Records an effect that is allowed and about to leave the machine.
    ///
    /// Returns once the record is durable, or a refusal if the task may no longer act.
    fn admit<'a>(&'a self, record: Record) -> BoxFuture<'a, Result<(), Refusal>> {
        self.record(record);
        Box::pin(ready(Ok(())))
    }

    /// Gives what is to be put into one decided and admitted request.
    fn credential<'a>(
        &'a self,
        ask: &'a CredentialAsk,
    ) -> BoxFuture<'a, Result<Injection, Refusal>> {
        let refusal = ask.refusal("no broker here has this credential");
        self.record(Record {
            what: refusal.what.clone(),
            target: refusal.target.clone(),
            refusal: Some(refusal.clone()),
        });
        Box::pin(ready(Err(refusal)))
    }
}

/// The request for which a credential is needed; it was decided and will not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialAsk {
    /// Which credential of the task's grant.
    pub credential: CredentialName,
    /// The request, without what is injected. A DPoP proof speaks of its method and target.
    pub request: HttpAsk,
    /// The last nonce that this origin gave the task for its proofs (RFC 9449 §8).
    pub nonce: Option<Nonce>,
}

impl CredentialAsk {
    /// Builds the refusal of a credential that cannot be had; `reason` is shown to an agent.
    pub fn refusal(&self, reason: &str) -> Refusal {
        Refusal {
            code: codes::NO_CREDENTIAL,
            what: "http".to_owned(),
            target: self.request.to_string(),
            reason: format!("the credential \"{}\" cannot be had: {reason}", self.credential),
            help: None,
        }
    }
}

/// A nonce of an upstream for DPoP proofs. It is the upstream's text, so it is checked and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// The longest nonce that is remembered, bytes.
    pub const LONGEST: usize = 512;

    /// Takes a nonce in the form of RFC 9449 §8.1; none if it has another, or is too long.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let nqchar = |b: &u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let fits = !bytes.is_empty() && bytes.len() <= Self::LONGEST && bytes.iter().all(nqchar);
        fits.then(|| Self(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_one_word_without_quotes_and_of_bounded_length() {
        assert_eq!(
            Nonce::parse(b"eyJ7S_zG.0-x~").unwrap_or_else(|| panic!()).as_str(),
            "eyJ7S_zG.0-x~"
        );
        let long = vec![b'a'; Nonce::LONGEST + 1];
        for bad in [&b""[..], b"a b", b"a\"", b"a\\", b"a\r\nx: y", b"\xff", &long] {
            assert_eq!(Nonce::parse(bad), None);
        }
    }
}
