#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::keys::{LocalKey, Signer};
use serde_json::json;

/// The order of P-256, big-endian (FIPS 186-5, SP 800-186 §3.2.1.3).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn published(key: &LocalKey) -> Value {
    let jwks: Jwks = [*key.public_jwk()].into_iter().collect();
    serde_json::to_value(jwks).unwrap()["keys"][0].clone()
}

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn a_signature_fits_its_key_and_its_message_only() {
    let (key, other) = (LocalKey::generate().unwrap(), LocalKey::generate().unwrap());
    let signature = key.sign(b"message").unwrap();
    let checks = |key: &LocalKey, message: &[u8]| {
        VerifyingKey::new(key.public_jwk()).unwrap().accepts(message, &signature)
    };
    assert!(checks(&key, b"message"));
    assert!(!checks(&key, b"massage"));
    assert!(!checks(&other, b"message"));
}

#[test]
fn a_signature_with_r_or_s_out_of_range_fits_nothing() {
    let key = LocalKey::generate().unwrap();
    let checks = VerifyingKey::new(key.public_jwk()).unwrap();
    let good = key.sign(b"message").unwrap();
    for (r, s) in [
        ([0; 32], [0; 32]),
        ([0; 32], good[32..].try_into().unwrap()),
        (good[..32].try_into().unwrap(), [0; 32]),
        (ORDER, ORDER),
        (ORDER, good[32..].try_into().unwrap()),
        (good[..32].try_into().unwrap(), ORDER),
        ([255; 32], [255; 32]),
        (good[32..].try_into().unwrap(), good[..32].try_into().unwrap()),
    ] {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s);
        assert!(!checks.accepts(b"message", &signature), "{signature:x?}");
    }
}

#[test]
fn a_published_set_is_read_and_other_kinds_are_passed_over() {
    let key = LocalKey::generate().unwrap();
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"});
    let set = parse(&[rsa, published(&key)]).unwrap();
    assert_eq!(set.len(), 1);
    assert!(set.get(key.kid()).is_some());
    assert!(set.get("r").is_none());
    assert!(parse(&[]).unwrap().is_empty());
}

#[test]
fn a_hostile_set_is_refused_whole() {
    let key = published(&LocalKey::generate().unwrap());
    let changed = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let mut nameless = key.clone();
    nameless.as_object_mut().unwrap().remove("kid");
    for (keys, error) in [
        (vec![key.clone(), key.clone()], KeySetError::Malformed),
        (vec![nameless], KeySetError::Malformed),
        (vec![changed("kid", json!(1))], KeySetError::Malformed),
        (vec![json!("key")], KeySetError::Malformed),
        (vec![changed("d", json!("AA"))], KeySetError::Private),
        (vec![json!({"kty": "oct", "k": "AA"})], KeySetError::Private),
        (vec![key.clone(), changed("y", key["x"].clone())], KeySetError::Key),
        (vec![changed("x", json!("AA"))], KeySetError::Key),
        (vec![json!({"kty": "RSA"}); MOST_KEYS + 1], KeySetError::Malformed),
    ] {
        assert_eq!(parse(&keys).unwrap_err(), error, "{keys:?}");
    }
    for document in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(KeySet::parse(document.as_bytes()).unwrap_err(), KeySetError::Malformed);
    }
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(LARGEST_SET));
    assert_eq!(KeySet::parse(large.as_bytes()).unwrap_err(), KeySetError::Malformed);
}
