//! Tokens: what they say, how they are signed, and the one way to check them.
//!
//! An access token is an RFC 9068 `at+jwt`, signed with ES256, for one task and one audience and at
//! most five minutes. It may be bound to a key that only the host holds (DPoP, RFC 9449), and a
//! status list says whether it was revoked.

mod claims;
mod compact;
pub mod dpop;
mod freshness;
mod lifetime;
mod members;
mod mint;
mod secret;
pub mod status;
pub mod verify;

pub use claims::{Actor, AuthorizationDetail, Claims, DEEPEST_TASK, StatusReference, TaskClaim};
pub use freshness::{Freshness, LEASE};
pub use lifetime::{DEFAULT_TTL, LONGEST_TTL, Lifetime, LifetimeError};
pub use mint::{MintError, Minter};
pub use secret::AccessToken;
pub use verify::{Audience, Expectations, Holder, Rejection, Verified, Verifier};

use std::time::Duration;

/// The most bytes of a token or proof that are looked at.
///
/// Ours have about 1,000. Without a bound a stranger chooses how much is decoded before anything
/// is known about the sender.
pub const LARGEST_TOKEN: usize = 8 << 10;

/// How far the clocks of signer and checker may be apart, either way.
///
/// It is also how much longer than its `exp` a token may live, so it stays far below the shortest
/// life of a token.
pub const SKEW: Duration = Duration::from_secs(5);
