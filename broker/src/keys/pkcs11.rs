//! Private keys in a hardware token that never gives them away (PKCS#11).
//!
//! A key has no number here: PKCS#11 cannot make an object only if it is missing, so two processes
//! may each make one. The ledger publishes one of them, and the other process removes its own.

mod connection;

use super::file::read_private;
use super::{KeyFileError, PublicJwk, Purpose, SignError, Signature, Signer, VerifyingKey};
use connection::Connection;
use cryptoki::error::{Error, RvError};
use cryptoki::types::AuthPin;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The longest PIN, bytes.
const LONGEST_PIN: usize = 256;

/// Where the operator's token is.
#[derive(Debug, Clone)]
pub struct TokenPlace {
    /// The module of its maker: a shared library, which runs in this process.
    pub module: PathBuf,
    /// The label of the token.
    pub label: String,
    /// The file with the PIN of its user, which only its owner can read.
    pub pin: PathBuf,
}

/// A hardware token. The module is loaded when a key is first used, and the token is logged into
/// again whenever it was lost.
pub struct HardwareToken {
    place: TokenPlace,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    refused: bool,
}

/// Why the token did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardwareError {
    /// The module cannot be loaded, or the device does not answer: look at it, then try again.
    #[error("the hardware token does not answer: {0}")]
    Device(String),
    /// Not exactly one token has the label: plug it in, or give it a label of its own.
    #[error("{found} tokens have the label `{label}`, and one must")]
    NotOne {
        /// The label.
        label: String,
        /// How many have it.
        found: usize,
    },
    /// The PIN cannot be read.
    #[error("the PIN cannot be read: {0}")]
    PinFile(#[from] KeyFileError),
    /// The token refused the PIN. It is not tried again in this process: after a few tries the
    /// token would lock itself.
    #[error("the hardware token refused the PIN; correct the file and start again")]
    PinRefused,
    /// The token does not hold the key, or holds another in its place.
    #[error("the hardware token does not hold the key")]
    Missing,
}

impl HardwareToken {
    /// Names a token. Nothing is loaded yet.
    pub fn new(place: TokenPlace) -> Self {
        Self { place, state: Mutex::default() }
    }

    /// Makes a key that cannot leave the token.
    pub fn generate(self: &Arc<Self>, purpose: Purpose) -> Result<HardwareKey, HardwareError> {
        let label = format!("writ {}", purpose.as_str());
        let jwk = self.run(|connection| connection.generate(&label))?;
        self.load(jwk)
    }

    /// Finds a key by its public half, and has it sign once to see that the halves belong together.
    pub fn load(self: &Arc<Self>, jwk: PublicJwk) -> Result<HardwareKey, HardwareError> {
        const PROBE: &[u8] = b"writ: does this key sign?";
        let kid = jwk.thumbprint().to_string();
        let key = HardwareKey { token: Arc::clone(self), jwk, kid };
        let signature = key.try_sign(PROBE)?;
        let is_its_own =
            VerifyingKey::new(&jwk).is_some_and(|public| public.accepts(PROBE, &signature));
        if is_its_own { Ok(key) } else { Err(HardwareError::Missing) }
    }

    /// Removes both halves of a key for good; nothing happens if it is gone already.
    pub fn remove(&self, jwk: &PublicJwk) -> Result<(), HardwareError> {
        self.run(|connection| connection.remove(jwk))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one thing in a session, and once more in a new one if the session was lost.
    ///
    /// Calls wait for each other: a token does one thing at a time anyway.
    fn run<T>(
        &self,
        act: impl Fn(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, HardwareError> {
        let mut state = self.state();
        if let Some(connection) = &mut state.connection {
            match act(connection) {
                Err(error) if is_loss(&error) => drop(state.connection.take()),
                result => return result.map_err(explain),
            }
        }
        let mut connection = self.connect(&mut state)?;
        let result = act(&mut connection).map_err(explain);
        state.connection = Some(connection);
        result
    }

    fn connect(&self, state: &mut State) -> Result<Connection, HardwareError> {
        if state.refused {
            return Err(HardwareError::PinRefused);
        }
        let pin = self.pin()?;
        let connected = Connection::open(&self.place, &pin);
        state.refused = matches!(connected, Err(HardwareError::PinRefused));
        connected
    }

    fn pin(&self) -> Result<AuthPin, HardwareError> {
        let path = &self.place.pin;
        let bytes = read_private(rustix::fs::CWD, path, path, LONGEST_PIN)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| HardwareError::PinRefused)?;
        let pin = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        Ok(AuthPin::from(pin.as_str()))
    }
}

/// Reports whether the session is gone, so that another may help.
fn is_loss(error: &Error) -> bool {
    use RvError as E;
    let Error::Pkcs11(error, _) = error else { return false };
    matches!(
        error,
        E::CryptokiNotInitialized
            | E::DeviceError
            | E::DeviceRemoved
            | E::GeneralError
            | E::KeyHandleInvalid
            | E::ObjectHandleInvalid
            | E::SessionClosed
            | E::SessionHandleInvalid
            | E::SlotIdInvalid
            | E::TokenNotPresent
            | E::TokenNotRecognized
            | E::UserNotLoggedIn
    )
}

fn explain(error: Error) -> HardwareError {
    match error {
        Error::InvalidValue => HardwareError::Missing,
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinLocked | RvError::PinExpired, _) => {
            HardwareError::PinRefused
        }
        error => HardwareError::Device(error.to_string()),
    }
}

/// A key in a hardware token.
pub struct HardwareKey {
    token: Arc<HardwareToken>,
    jwk: PublicJwk,
    kid: String,
}

impl HardwareKey {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, HardwareError> {
        self.token.run(|connection| connection.sign(&self.jwk, message))
    }
}

impl Signer for HardwareKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public_jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.try_sign(message).map_err(|error| match error {
            HardwareError::Missing => SignError::Unusable,
            _ => SignError::Unreachable,
        })
    }
}

impl fmt::Debug for HardwareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HardwareToken").field("place", &self.place).finish_non_exhaustive()
    }
}

impl fmt::Debug for HardwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HardwareKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
