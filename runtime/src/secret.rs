//! Bytes that must not be seen.

use std::fmt;
use zeroize::Zeroizing;

/// A value that goes into a request and nowhere else. It is overwritten when it is dropped.
///
/// Two are compared only to see that one is still the same, never to check a guess: the comparison
/// takes a time that depends on the bytes.
///
/// There is no way to print or serialise it. Whoever needs the bytes says so by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Returns the bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(*b"hunter2");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret Secret");
    }
}
