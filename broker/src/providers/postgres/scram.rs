//! The verifier of a password, so that the password itself never travels to the database.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Bytes of salt, as PostgreSQL takes itself.
pub(super) const SALT: usize = 16;
/// The fewest rounds that RFC 7677 §4 allows. A password of 256 random bits needs none of them.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");

/// Computes what PostgreSQL stores for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677).
///
/// The password must be ASCII: then SASLprep changes nothing.
pub(super) fn verifier(password: &str, salt: &[u8; SALT]) -> String {
    debug_assert!(password.is_ascii());
    let mut salted = Zeroizing::new([0; 32]);
    let rounds = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(rounds, ROUNDS, salt, password.as_bytes(), &mut salted[..]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted[..]);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest(&SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn the_example_of_the_standard_verifies() {
        // RFC 7677 §3: the client's proof and the server's signature of a whole exchange.
        let salt: [u8; 16] =
            STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = verifier("pencil", &salt);
        let (_, keys) = verifier.rsplit_once('$').unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
            hmac::sign(&key, message.as_bytes())
        };
        assert_eq!(STANDARD.encode(sign(server)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client: Vec<u8> = proof.iter().zip(sign(stored).as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(STANDARD.encode(digest(&SHA256, &client)), stored);
    }
}
