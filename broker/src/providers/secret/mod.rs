//! Static secrets of the operator. Nothing is made and nothing revoked; only the gate has them.

#[cfg(feature = "age")]
pub(super) mod age;
#[cfg(test)]
mod tests;

use super::registry::Surroundings;
use super::source::{self, Source};
use super::{Handle, Intent, Kind, LeaseAsk, Leased, Material, Pending, Provider, Revoked};
use crate::clock::UnixMillis;

/// A static secret.
pub(super) struct StaticSecret {
    pub(super) source: Source,
    pub(super) around: Surroundings,
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
            lapses: None,
        }
    }

    fn lease<'a>(
        &'a self,
        _ask: &'a LeaseAsk,
        intent: &'a Intent,
        _now: UnixMillis,
    ) -> Pending<'a, Leased> {
        Box::pin(async move {
            let (source, around) = (self.source.clone(), self.around.clone());
            let secret = source::blocking(move || source.secret(&around)).await?;
            let handle = intent.clone().into_handle();
            Ok(Leased { material: Material::Value(secret), expires: None, handle })
        })
    }

    fn revoke<'a>(&'a self, _handle: &'a Handle, _now: UnixMillis) -> Pending<'a, Revoked> {
        Box::pin(async { Ok(Revoked::Withheld) })
    }
}
