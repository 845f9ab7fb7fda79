//! One session with a token, logged in.

use super::{HardwareError, TokenPlace, explain};
use crate::keys::{PublicJwk, Signature};
use aws_lc_rs::digest;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::collections::HashMap;

/// The object identifier of P-256 in DER (RFC 5480 §2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DER in front of a point of 65 bytes: PKCS#11 wraps it into an octet string.
const OCTETS: [u8; 2] = [0x04, 65];

/// A session, and the private keys that were found in it.
pub(super) struct Connection {
    /// None once it is closed.
    session: Option<Session>,
    module: Option<Pkcs11>,
    found: HashMap<PublicJwk, ObjectHandle>,
}

impl Connection {
    /// Loads the module and logs into the token.
    pub(super) fn open(place: &TokenPlace, pin: &AuthPin) -> Result<Self, HardwareError> {
        let module = Pkcs11::new(&place.module).map_err(explain)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Somebody else in this process uses the module too.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(explain(error)),
        }
        let mut connection =
            Self { session: None, module: Some(module.clone()), found: HashMap::new() };
        let slot = slot(&module, &place.label)?;
        let session = module.open_rw_session(slot).map_err(explain)?;
        match session.login(UserType::User, Some(pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(explain(error)),
        }
        connection.session = Some(session);
        Ok(connection)
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("it is closed only when the connection is dropped")
    }

    /// Makes a key pair and returns the public half.
    pub(super) fn generate(&mut self, label: &str) -> Result<PublicJwk, Error> {
        let session = self.session();
        let id = Attribute::Id(session.generate_random_vec(16)?);
        let label = Attribute::Label(label.as_bytes().to_vec());
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(P256.to_vec()),
            id.clone(),
            label.clone(),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Derive(false),
            id,
            label,
        ];
        let (public, private) =
            session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?;
        let jwk = point(session, public)?.ok_or(Error::InvalidValue)?;
        self.found.insert(jwk, private);
        Ok(jwk)
    }

    /// Signs a message, which is hashed here: not every token can.
    pub(super) fn sign(&mut self, jwk: &PublicJwk, message: &[u8]) -> Result<Signature, Error> {
        let key = match self.found.get(jwk) {
            Some(key) => *key,
            None => {
                let key = self.find(jwk)?.ok_or(Error::InvalidValue)?;
                self.found.insert(*jwk, key);
                key
            }
        };
        let hash = digest::digest(&digest::SHA256, message);
        let signature = self.session().sign(&Mechanism::Ecdsa, key, hash.as_ref())?;
        signature.try_into().map_err(|_| Error::InvalidValue)
    }

    /// Removes both halves.
    pub(super) fn remove(&mut self, jwk: &PublicJwk) -> Result<(), Error> {
        self.found.remove(jwk);
        if let Some(private) = self.find(jwk)? {
            self.session().destroy_object(private)?;
        }
        for public in self.public(jwk)? {
            self.session().destroy_object(public)?;
        }
        Ok(())
    }

    /// Finds the private key that has the same name as the public one.
    fn find(&self, jwk: &PublicJwk) -> Result<Option<ObjectHandle>, Error> {
        let session = self.session();
        let Some(public) = self.public(jwk)?.first().copied() else { return Ok(None) };
        let ids = session.get_attributes(public, &[AttributeType::Id])?;
        let Some(id @ Attribute::Id(_)) = ids.into_iter().next() else { return Ok(None) };
        let wanted =
            [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::EC), id];
        Ok(session.find_objects(&wanted)?.first().copied())
    }

    fn public(&self, jwk: &PublicJwk) -> Result<Vec<ObjectHandle>, Error> {
        let point = [&OCTETS[..], &jwk.to_point()].concat();
        self.session().find_objects(&[
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::EcPoint(point),
        ])
    }
}

impl Drop for Connection {
    /// Lets go of the module as well: some see a token that was plugged in again only after that.
    fn drop(&mut self) {
        drop(self.session.take());
        // If the token is gone there is nobody to tell.
        drop(self.module.take().map(Pkcs11::finalize));
    }
}

fn slot(module: &Pkcs11, label: &str) -> Result<Slot, HardwareError> {
    let mut found = Vec::new();
    for slot in module.get_slots_with_initialized_token().map_err(explain)? {
        if module.get_token_info(slot).map_err(explain)?.label() == label {
            found.push(slot);
        }
    }
    match found[..] {
        [slot] => Ok(slot),
        _ => Err(HardwareError::NotOne { label: label.to_owned(), found: found.len() }),
    }
}

fn point(session: &Session, public: ObjectHandle) -> Result<Option<PublicJwk>, Error> {
    let attributes = session.get_attributes(public, &[AttributeType::EcPoint])?;
    let Some(Attribute::EcPoint(point)) = attributes.first() else { return Ok(None) };
    Ok(point.strip_prefix(&OCTETS).and_then(PublicJwk::from_point))
}
