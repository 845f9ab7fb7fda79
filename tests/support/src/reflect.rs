//! Routes of a server that gives back what it was sent, and of one that wants proofs with its nonce.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Request};

/// The nonce that `/nonce` wants to see in the `dpop` field.
pub const NONCE: &str = "nonce-of-the-server";

/// Writes everything that came in, in a form: `plain`, `base64`, `base64url`, `hex`, `HEX`,
/// `percent` or `PERCENT`.
pub(crate) fn reflection<B>(form: &str, request: &Request<B>) -> String {
    let mut text = format!("{} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!(" | {name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    encoded(form, &text)
}

fn encoded(form: &str, text: &str) -> String {
    let each = |write: fn(&u8) -> String| text.as_bytes().iter().map(write).collect();
    match form {
        "plain" => text.to_owned(),
        "base64" => STANDARD.encode(text),
        "base64url" => URL_SAFE_NO_PAD.encode(text),
        "hex" => each(|b| format!("{b:02x}")),
        "HEX" => each(|b| format!("{b:02X}")),
        "percent" => each(|b| format!("%{b:02x}")),
        "PERCENT" => each(|b| format!("%{b:02X}")),
        _ => panic!("there is no form {form}"),
    }
}

/// What a server says that wants its nonce in the next proof (RFC 9449 §9).
pub(crate) fn nonce_challenge(headers: &HeaderMap) -> Option<[(&'static str, HeaderValue); 2]> {
    let proof = headers.get("dpop").and_then(|proof| proof.to_str().ok()).unwrap_or_default();
    if proof.contains(NONCE) {
        return None;
    }
    let challenge = HeaderValue::from_static("DPoP error=\"use_dpop_nonce\", algs=\"ES256\"");
    Some([("www-authenticate", challenge), ("dpop-nonce", HeaderValue::from_static(NONCE))])
}
