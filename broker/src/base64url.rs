//! Base64url without padding, as JOSE writes it (RFC 7515 §2), read strictly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns the bytes as text.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the bytes as text.
pub(crate) fn append(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads text that has exactly one spelling: no padding, no white space, no trailing bits.
///
/// Two spellings of one signature would be two tokens to whoever remembers tokens by their text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads text that stands for exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Longer text is refused before memory is spent on it.
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        for other in ["_-8=", "/+8", "_-9", "_-8\n", " _-8", "_-", "_", "_-8A="] {
            assert_ne!(decode(other), Some(vec![0xff, 0xef]), "{other:?}");
        }
        assert_eq!(decode("_-9"), None, "non-zero trailing bits");
    }

    #[test]
    fn an_array_has_its_own_length() {
        assert_eq!(decode_array(&encode([7; 32])), Some([7; 32]));
        assert_eq!(decode_array::<32>(&encode([7; 31])), None);
        assert_eq!(decode_array::<32>(&encode([7; 33])), None);
        assert_eq!(decode_array::<0>(""), Some([]));
    }
}
