#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::keys::{LocalKey, Signer, VerifyingKey};
use serde_json::json;

/// The key of RFC 7515 A.3.
fn rfc_members() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn parse(members: &Value) -> Result<PublicJwk, JwkError> {
    PublicJwk::parse(members.as_object().unwrap())
}

fn with(name: &str, value: Value) -> Value {
    let mut members = rfc_members();
    members[name] = value;
    members
}

#[test]
fn the_example_of_rfc_7515_verifies() {
    let key = VerifyingKey::new(&parse(&rfc_members()).unwrap()).unwrap();
    let input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = base64url::decode_array(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    assert!(key.accepts(input.as_bytes(), &signature.unwrap()));
    assert!(!key.accepts(&input.as_bytes()[1..], &signature.unwrap()));
}

#[test]
fn the_thumbprints_of_known_keys_are_those_that_others_compute() {
    // RFC 9449 §4.1 (the key of its examples) and §6.1 (the thumbprint).
    let dpop = json!({
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    });
    let thumbprint = parse(&dpop).unwrap().thumbprint().to_string();
    assert_eq!(thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn members_are_hashed_in_the_order_of_rfc_7638_whatever_their_order_and_company() {
    let expected = digest::digest(
        &digest::SHA256,
        br#"{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    );
    for members in [rfc_members(), with("kid", json!("a")), with("use", json!("sig"))] {
        assert_eq!(parse(&members).unwrap().thumbprint().as_bytes(), expected.as_ref());
    }
}

#[test]
fn a_key_with_private_parts_is_refused_for_it() {
    for name in SECRET {
        assert_eq!(parse(&with(name, json!("AA"))), Err(JwkError::Private), "{name}");
    }
    assert_eq!(parse(&json!({"kty": "oct", "k": "AA"})), Err(JwkError::Private));
}

#[test]
fn a_key_of_another_kind_or_use_is_told_from_a_broken_one() {
    for members in [
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        with("crv", json!("P-384")),
        with("crv", json!("secp256k1")),
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("alg", json!("none")),
        with("alg", json!(7)),
        with("key_ops", json!(["encrypt"])),
        with("key_ops", json!("verify")),
    ] {
        assert_eq!(parse(&members), Err(JwkError::OtherKind), "{members}");
    }
}

#[test]
fn a_coordinate_has_one_spelling() {
    for x in [
        json!(""),
        json!(1),
        json!(null),
        json!(["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"]),
        json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE"),
        json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="),
        json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV"),
        json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEUAA"),
    ] {
        assert_eq!(parse(&with("x", x.clone())), Err(JwkError::Malformed), "{x}");
    }
    assert_eq!(parse(&with("kty", json!(7))), Err(JwkError::Malformed));
}

#[test]
fn a_point_that_is_not_on_the_curve_verifies_nothing() {
    let zeros = base64url::encode([0; 32]);
    let off = parse(&with("y", json!(base64url::encode([1; 32])))).unwrap();
    assert!(VerifyingKey::new(&off).is_none());
    let mut origin = with("x", json!(zeros));
    origin["y"] = json!(zeros);
    assert!(VerifyingKey::new(&parse(&origin).unwrap()).is_none());
    let beyond = parse(&with("x", json!(base64url::encode([255; 32])))).unwrap();
    assert!(VerifyingKey::new(&beyond).is_none());
}

#[test]
fn a_published_set_names_use_and_algorithm_and_holds_nothing_private() {
    let key = LocalKey::generate().unwrap();
    let set: Jwks = [*key.public_jwk()].into_iter().collect();
    let document = serde_json::to_value(&set).unwrap();
    let members = document["keys"][0].as_object().unwrap();
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(members["kid"], key.kid());
    assert_eq!(members["alg"], "ES256");
    assert_eq!(members["use"], "sig");
    assert_eq!(PublicJwk::parse(members).as_ref(), Ok(key.public_jwk()));
}

#[test]
fn keys_and_thumbprints_come_back_from_json_as_they_went() {
    let key = *LocalKey::generate().unwrap().public_jwk();
    let text = serde_json::to_string(&(key, key.thumbprint())).unwrap();
    assert_eq!(
        serde_json::from_str::<(PublicJwk, Thumbprint)>(&text).unwrap(),
        (key, key.thumbprint())
    );
    assert!(serde_json::from_str::<Thumbprint>("\"AA\"").is_err());
    assert_eq!(PublicJwk::from_point(&key.to_point()), Some(key));
    assert_eq!(PublicJwk::from_point(&key.to_point()[..64]), None);
    assert_eq!(PublicJwk::from_point(&[]), None);
}
