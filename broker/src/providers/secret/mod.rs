//! Static secrets of the operator. Nothing is made and nothing revoked; only the gate has them.

#[cfg(feature = "age")]
pub(super) mod age;
#[cfg(test)]
mod tests;

use super::attempt;
use super::custody::Custody;
use super::registry::Surroundings;
use super::source::{self, Source};
use super::{
    Handle, Intent, Kind, LeaseAsk, Leased, Material, Pending, Provider, ProviderError, Revoked,
};
use crate::clock::UnixMillis;

/// A static secret.
pub(super) struct StaticSecret {
    source: Source,
    around: Surroundings,
    custody: Custody,
}

impl StaticSecret {
    pub(super) fn new(source: Source, around: Surroundings) -> Self {
        Self { source, around, custody: Custody::default() }
    }
}

impl Provider for StaticSecret {
    fn kind(&self) -> Kind {
        Kind::Secret
    }

    fn intent(&self, ask: &LeaseAsk) -> Intent {
        Intent {
            kind: Kind::Secret,
            credential: ask.credential.clone(),
            lease: ask.lease.clone(),
            name: ask.credential.clone(),
            until: attempt::until(ask.at),
            lapses: None,
        }
    }

    fn lease<'a>(
        &'a self,
        ask: &'a LeaseAsk,
        intent: &'a Intent,
        now: UnixMillis,
    ) -> Pending<'a, Leased> {
        Box::pin(async move {
            attempt::check(self, ask, intent, now)?;
            let attempt = self.custody.begin(&ask.lease)?;
            let (source, around) = (self.source.clone(), self.around.clone());
            let read = source::blocking(move || source.secret(&around));
            let secret = attempt::bounded(read).await?;
            if attempt.is_revoked() {
                return Err(ProviderError::Gone);
            }
            let handle = intent.clone().into_handle();
            Ok(Leased { material: Material::Value(secret), expires: None, handle })
        })
    }

    fn revoke<'a>(&'a self, handle: &'a Handle, _now: UnixMillis) -> Pending<'a, Revoked> {
        Box::pin(async {
            // An attempt that is under way comes to nothing now; there is nothing to wait for.
            self.custody.forbid(&handle.intent.lease);
            Ok(Revoked::Withheld)
        })
    }
}
