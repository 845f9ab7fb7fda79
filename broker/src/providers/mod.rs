//! Where upstream credentials come from, and how each is ended.
//!
//! A provider acts at a service that is not ours. So nothing it makes may be forgotten: the
//! [`Intent`], which names what is about to be made, is recorded before anything happens, and
//! [`Provider::revoke`] needs nothing else. An intent is good for one attempt. Whatever comes of it,
//! the authority revokes it in the end, as often as it takes; revoking again is harmless.
//!
//! Nothing here costs anything before it is used: a provider is made when its credential is first
//! leased, a secret is read for each lease, and TLS is set up with the first connection.

mod attempt;
pub mod config;
mod custody;
mod error;
pub(crate) mod files;
mod github_app;
pub mod http;
mod jwt;
mod lease;
mod oauth;
mod postgres;
mod registry;
mod secret;
mod source;
mod tls;
mod when;

pub use error::ProviderError;
pub use lease::{Handle, Intent, Kind, LeaseAsk, Leased, Material, Revoked};
pub use registry::{Providers, Surroundings};
pub use source::{AgeKey, Secret, SecretError, Source};

use crate::clock::UnixMillis;
use std::future::Future;
use std::pin::Pin;

/// What a provider will have done.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// One upstream that gives credentials.
pub trait Provider: Send + Sync {
    /// Returns the kind.
    fn kind(&self) -> Kind;

    /// Names what a lease will make upstream. Pure; record it before [`Provider::lease`].
    ///
    /// It is good for one attempt that starts within half a minute of the ask.
    fn intent(&self, ask: &LeaseAsk) -> Intent;

    /// Makes the credential. The future may be dropped at any point; then revoke the intent.
    ///
    /// A lease that comes back must be stored, and if it cannot be (the task was killed meanwhile),
    /// revoked again: the revocation of the kill may have run before this one made anything.
    fn lease<'a>(
        &'a self,
        ask: &'a LeaseAsk,
        intent: &'a Intent,
        now: UnixMillis,
    ) -> Pending<'a, Leased>;

    /// Ends the credential, and everything that uses it; safe to call again, also after a crash with
    /// a handle that was made of the intent, and if nothing was ever made.
    ///
    /// The process that leases is the one to revoke: it knows what is still under way. Another one may
    /// do so once that process is dead; if it cannot know, it revokes once more after
    /// [`Intent::until`].
    fn revoke<'a>(&'a self, handle: &'a Handle, now: UnixMillis) -> Pending<'a, Revoked>;
}
