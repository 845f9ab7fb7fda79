//! The signing keys of all processes that share a ledger: it names them, and files hold them.

use super::{Authority, Refused};
use crate::event::Event;
use crate::keys::{
    KeyEvent, KeyFileError, KeyFiles, KeyRing, LocalKey, PublicJwk, Purpose, RingError, Signer,
    Thumbprint,
};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Why there is no key, or why the keys do not change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file of the key.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The keys do not allow it now.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// It cannot be recorded.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The file holds another key than the ledger names.
    #[error(
        "the key in the file is not the one that the ledger names; restore it, or remove it with `writ keys remove {0}`"
    )]
    Another(String),
    /// The thread that read or made the key ended.
    #[error("the key was not read")]
    Lost,
}

/// What became of a wish to rotate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The next key is published; it will sign once every checker can know it.
    Published(KeyRing),
    /// The next key signs from now on.
    Promoted(KeyRing),
}

impl Authority {
    /// Returns the key that signs, making and publishing one when it is first needed. A next key that
    /// every checker can know by now takes over first.
    pub async fn signer(
        &self,
        files: &Arc<KeyFiles>,
        purpose: Purpose,
    ) -> Result<Arc<dyn Signer>, KeysError> {
        let mut ring =
            self.change_keys(purpose, |ring, now| Ok(ring.rotate(now).unwrap_or_default())).await?;
        if ring.current().is_none() {
            ring = self.publish(files, ring).await?;
        }
        let current = *ring.current().ok_or(RingError::NoNext)?;
        let files = Arc::clone(files);
        let key = spawn_blocking(move || files.load(purpose, current.generation));
        let key = key.await.map_err(|_| KeysError::Lost)??;
        if *key.public_jwk() != current.jwk {
            return Err(KeysError::Another(current.jwk.thumbprint().to_string()));
        }
        Ok(Arc::new(key))
    }

    /// Publishes the next key, or lets it sign if every checker can know it.
    pub async fn rotate_keys(
        &self,
        files: &Arc<KeyFiles>,
        purpose: Purpose,
    ) -> Result<Rotation, KeysError> {
        let ring = self.keys(purpose).await?;
        if ring.next().is_some() {
            let ring = self.change_keys(purpose, |ring, now| ring.rotate(now)).await?;
            return Ok(Rotation::Promoted(ring));
        }
        Ok(Rotation::Published(self.publish(files, ring).await?))
    }

    /// Removes a key that is lost or stolen. Everything that it signed is refused at once.
    pub async fn remove_key(
        &self,
        files: &Arc<KeyFiles>,
        purpose: Purpose,
        kid: Thumbprint,
    ) -> Result<KeyRing, KeysError> {
        let generation = self.keys(purpose).await?.generation_of(kid);
        let ring =
            self.change_keys(purpose, move |ring, now| ring.emergency_remove(kid, now)).await?;
        if let Some(generation) = generation {
            let files = Arc::clone(files);
            let removed = spawn_blocking(move || files.remove(purpose, generation));
            removed.await.map_err(|_| KeysError::Lost)??;
        }
        Ok(ring)
    }

    /// Returns the keys of a purpose.
    pub async fn keys(&self, purpose: Purpose) -> Result<KeyRing, KeysError> {
        self.change_keys(purpose, |_, _| Ok(Vec::new())).await
    }

    /// Makes the key with the next number, and publishes it unless another process was first.
    async fn publish(&self, files: &Arc<KeyFiles>, ring: KeyRing) -> Result<KeyRing, KeysError> {
        let (purpose, generation) = (ring.purpose(), ring.next_generation());
        let files = Arc::clone(files);
        // The file is durable before the ledger names its key.
        let key = spawn_blocking(move || files.obtain(purpose, generation));
        let key: LocalKey = key.await.map_err(|_| KeysError::Lost)??;
        let jwk: PublicJwk = *key.public_jwk();
        let publish = move |ring: &KeyRing, now| match ring.publish(jwk, generation, now) {
            Err(RingError::NotNew | RingError::NextExists) => Ok(Vec::new()),
            decided => decided,
        };
        self.change_keys(purpose, publish).await
    }

    /// Changes the keys of a purpose as is decided on what they are, and returns what they are then.
    async fn change_keys(
        &self,
        purpose: Purpose,
        mut change: impl FnMut(&KeyRing, crate::clock::UnixMillis) -> Result<Vec<KeyEvent>, RingError>
        + Send
        + 'static,
    ) -> Result<KeyRing, KeysError> {
        let decided = self.decide(move |state, now| {
            state.clock(now)?;
            let mut ring = state.keys(purpose);
            let changes = match change(&ring, now) {
                Ok(changes) => changes,
                Err(error) => return Ok((Vec::new(), Err(error))),
            };
            changes.iter().for_each(|change| ring.apply(change, now));
            let events = changes.into_iter().map(|change| Event::KeysChanged { purpose, change });
            Ok((events.collect(), Ok(ring)))
        });
        Ok(decided.await?.answer?)
    }
}
