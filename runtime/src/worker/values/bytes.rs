//! `list<u8>` as base64.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// The ordinary alphabet; padding is written, and may be left out when reading.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads `{"base64": "…"}`, or nothing if the object is anything else.
pub(crate) fn read(fields: &Map<String, Value>) -> Option<Vec<u8>> {
    match fields.get("base64") {
        Some(Value::String(text)) if fields.len() == 1 => BASE64.decode(text).ok(),
        _ => None,
    }
}

/// The length of the text that [`text`] gives for so many bytes.
pub(crate) fn text_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Writes bytes as base64.
pub(crate) fn text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
