//! Nonces that a server can check without remembering them (RFC 9449 §8, §9).

use crate::base64url;
use crate::clock::UnixMillis;
use aws_lc_rs::{constant_time, hmac};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long one nonce is handed out; it is taken for as long again.
pub const NONCE_STEP: Duration = Duration::from_secs(60);

/// Bytes of a nonce. Nobody can guess 128 bits before the step begins.
const LENGTH: usize = 16;

/// Makes and checks nonces: each is an HMAC over the number of its time step.
///
/// A nonce limits how long before its use a proof can have been made. It is not what stops a
/// replay, and all clients of a step get the same one.
pub struct Nonces {
    key: hmac::Key,
    step: u64,
}

impl Nonces {
    /// Takes the server's secret. All processes that answer for one server need the same.
    pub fn new(secret: &Zeroizing<[u8; 32]>, step: Duration) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret[..]);
        // A step of nothing would divide by it.
        let step = u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { key, step }
    }

    /// Returns the nonce to hand out.
    pub fn current(&self, now: UnixMillis) -> String {
        base64url::encode(self.at(now.0 / self.step))
    }

    /// Reports whether a nonce was handed out in this step or the one before.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: UnixMillis) -> bool {
        let Some(nonce) = base64url::decode_array::<LENGTH>(nonce) else { return false };
        let step = now.0 / self.step;
        let fits = |step| constant_time::verify_slices_are_equal(&self.at(step), &nonce).is_ok();
        fits(step) || step.checked_sub(1).is_some_and(fits)
    }

    fn at(&self, step: u64) -> [u8; LENGTH] {
        let tag = hmac::sign(&self.key, &step.to_be_bytes());
        tag.as_ref()[..LENGTH].try_into().expect("the tag has 32 bytes")
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(secret: u8) -> Nonces {
        Nonces::new(&Zeroizing::new([secret; 32]), Duration::from_secs(60))
    }

    #[test]
    fn a_nonce_is_taken_in_its_step_and_the_next() {
        let nonce = nonces(1).current(UnixMillis(60_000));
        assert!(nonces(1).accepts(&nonce, UnixMillis(60_000)));
        assert!(nonces(1).accepts(&nonce, UnixMillis(179_999)));
        assert!(!nonces(1).accepts(&nonce, UnixMillis(180_000)));
        assert!(!nonces(1).accepts(&nonce, UnixMillis(59_999)), "not handed out yet");
    }

    #[test]
    fn a_nonce_of_another_server_or_of_nobody_is_refused() {
        let now = UnixMillis(60_000);
        let nonce = nonces(1).current(now);
        for other in ["", "AAAAAAAAAAAAAAAAAAAAAA", &nonce[1..], &format!("{nonce}A")] {
            assert!(!nonces(1).accepts(other, now), "{other}");
        }
        assert!(!nonces(2).accepts(&nonce, now));
    }

    #[test]
    fn the_first_step_and_a_step_of_nothing_are_no_trouble() {
        assert!(!nonces(1).accepts("AAAAAAAAAAAAAAAAAAAAAA", UnixMillis(0)));
        let hasty = Nonces::new(&Zeroizing::new([1; 32]), Duration::ZERO);
        assert!(hasty.accepts(&hasty.current(UnixMillis(7)), UnixMillis(8)));
    }
}
