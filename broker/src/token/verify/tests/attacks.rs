//! The attacks of RFC 8725, and others that broke peers. Each is the good token but for one thing.

use super::*;
use aws_lc_rs::hmac;
use proptest::prelude::*;

/// Replaces one part of a token.
fn with_part(token: &str, index: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[index] = part;
    parts.join(".")
}

fn part(token: &str, index: usize) -> String {
    token.split('.').nth(index).unwrap().to_owned()
}

fn with(mut header: Value, name: &str, value: Value) -> Value {
    header[name] = value;
    header
}

#[test]
fn no_other_algorithm_is_taken_however_it_is_spelt() {
    let bed = Bed::new();
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!(""),
        json!("HS256"),
        json!("RS256"),
        json!("PS256"),
        json!("ES384"),
        json!("ES512"),
        json!("ES256K"),
        json!("EdDSA"),
        json!("es256"),
        json!("ES256 "),
        json!(["ES256"]),
        json!({"ES256": true}),
        json!(256),
        json!(true),
    ] {
        let token = bed.seal_header(&with(bed.header(), "alg", alg.clone()));
        assert_eq!(bed.refuse(&token), Rejection::Algorithm, "{alg}");
    }
    let mut header = bed.header();
    header.as_object_mut().unwrap().remove("alg");
    assert_eq!(bed.refuse(&bed.seal_header(&header)), Rejection::Algorithm);
}

#[test]
fn an_unsigned_token_is_refused() {
    let bed = Bed::new();
    let none = with(bed.header(), "alg", json!("none"));
    let unsigned = with_part(&bed.seal_header(&none), 2, "");
    assert_eq!(bed.refuse(&unsigned), Rejection::Malformed);
    assert_eq!(bed.refuse(&with_part(&bed.mint(&claims()), 2, "")), Rejection::Malformed);
}

#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let bed = Bed::new();
    let header = base64url::encode(with(bed.header(), "alg", json!("HS256")).to_string());
    let signed = format!("{header}.{}", base64url::encode(payload().to_string()));
    let jwk = serde_json::to_vec(bed.key.public_jwk()).unwrap();
    for secret in [&bed.key.public_jwk().to_point()[..], &jwk, &[]] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, signed.as_bytes());
        let short = format!("{signed}.{}", base64url::encode(tag));
        assert_eq!(bed.refuse(&short), Rejection::Malformed);
        let padded = [tag.as_ref(), &[0; 32]].concat();
        let long = format!("{signed}.{}", base64url::encode(padded));
        assert_eq!(bed.refuse(&long), Rejection::Algorithm);
    }
}

#[test]
fn another_type_of_token_is_refused() {
    let bed = Bed::new();
    for typ in ["JWT", "at+jwt ", "dpop+jwt", "statuslist+jwt", "", "application/", "jwt+at"] {
        let token = bed.seal_header(&with(bed.header(), "typ", json!(typ)));
        assert_eq!(bed.refuse(&token), Rejection::Type, "{typ}");
    }
    for typ in [json!(["at+jwt"]), json!(1), json!({})] {
        assert_eq!(bed.refuse(&bed.seal_header(&with(bed.header(), "typ", typ))), Rejection::Type);
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        let token = bed.seal_header(&with(bed.header(), "typ", json!(typ)));
        assert!(bed.verify(&token).is_ok(), "{typ}");
    }
}

#[test]
fn the_header_cannot_bring_its_own_key_or_rules() {
    let bed = Bed::new();
    let stranger = Bed::new();
    let jwk = serde_json::to_value(stranger.key.public_jwk()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AA")),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("x", json!(1)),
    ] {
        let header = with(bed.header(), name, value);
        assert_eq!(bed.refuse(&bed.seal_header(&header)), Rejection::Header, "{name}");
        // Signed by the stranger, whose key the header brings.
        assert_eq!(bed.refuse(&stranger.seal_header(&header)), Rejection::Header, "{name}");
    }
}

#[test]
fn a_key_is_found_by_its_exact_name() {
    let bed = Bed::new();
    let kid = bed.key.kid().to_owned();
    for other in [
        String::new(),
        format!("{kid} "),
        format!("{kid}\u{0}"),
        kid.to_lowercase() + "x",
        "../../../dev/null".into(),
        "' OR 1=1 --".into(),
        "*".into(),
        Bed::new().key.kid().to_owned(),
    ] {
        let token = bed.seal_header(&with(bed.header(), "kid", json!(other)));
        assert_eq!(bed.refuse(&token), Rejection::UnknownKey, "{other:?}");
    }
    for kid in [json!(1), json!([kid]), json!({})] {
        assert_eq!(
            bed.refuse(&bed.seal_header(&with(bed.header(), "kid", kid))),
            Rejection::Header
        );
    }
    let mut nameless = bed.header();
    nameless.as_object_mut().unwrap().remove("kid");
    assert_eq!(bed.refuse(&bed.seal_header(&nameless)), Rejection::Header);
}

#[test]
fn a_header_member_that_stands_twice_is_refused() {
    let bed = Bed::new();
    let kid = bed.key.kid();
    for header in [
        format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","k\u0069d":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":null}}"#),
        "[]".into(),
        "\"at+jwt\"".into(),
        "null".into(),
        String::new(),
    ] {
        let token = bed.seal(&header, &payload().to_string());
        assert_eq!(bed.refuse(&token), Rejection::Malformed, "{header}");
    }
}

#[test]
fn a_signature_is_one_fixed_form_and_is_the_keys_own() {
    let bed = Bed::new();
    let token = bed.mint(&claims());
    let signature: [u8; 64] = base64url::decode_array(&part(&token, 2)).unwrap();
    let signed = token.rsplit_once('.').unwrap().0;
    let sent = |signature: &[u8]| format!("{signed}.{}", base64url::encode(signature));
    assert!(bed.verify(&sent(&signature)).is_ok());
    assert_eq!(bed.refuse(&sent(&[0; 64])), Rejection::Signature);
    assert_eq!(bed.refuse(&sent(&[255; 64])), Rejection::Signature);
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(bed.refuse(&sent(&flipped)), Rejection::Signature, "{bit}");
    }
    let der =
        [&[0x30, 0x44, 0x02, 0x20], &signature[..32], &[0x02, 0x20], &signature[32..]].concat();
    for other in [&der[..], &signature[..63], &[&signature[..], &[0]].concat(), &[]] {
        assert_eq!(bed.refuse(&sent(other)), Rejection::Malformed);
    }
}

#[test]
fn a_changed_payload_or_header_does_not_fit_the_signature() {
    let bed = Bed::new();
    let token = bed.mint(&claims());
    let wide = Claims { audience: "https://evil.example".into(), ..claims() };
    let wide = part(&bed.mint(&wide), 1);
    assert_eq!(bed.refuse(&with_part(&token, 1, &wide)), Rejection::Signature);
    // The same members in another order.
    let kid = bed.key.kid();
    let header = base64url::encode(format!(r#"{{"typ":"at+jwt","kid":"{kid}","alg":"ES256"}}"#));
    assert_eq!(bed.refuse(&with_part(&token, 0, &header)), Rejection::Signature);
}

#[test]
fn a_token_of_another_key_of_ours_is_refused() {
    let (bed, status) = (Bed::new(), Bed::new());
    assert_eq!(bed.refuse(&status.mint(&claims())), Rejection::UnknownKey);
    assert_eq!(bed.refuse(&status.seal_header(&bed.header())), Rejection::Signature);
    let jwks: Jwks = [*bed.key.public_jwk(), *status.key.public_jwk()].into_iter().collect();
    assert!(
        Verifier::new((&jwks).into()).verify(&status.mint(&claims()), &expected(), NOW).is_ok()
    );
    let nothing = Verifier::new(KeySet::default());
    let token = bed.mint(&claims());
    assert_eq!(nothing.verify(&token, &expected(), NOW).unwrap_err(), Rejection::UnknownKey);
}

#[test]
fn a_token_has_three_parts_in_one_spelling() {
    let bed = Bed::new();
    let token = bed.mint(&claims());
    let [header, payload, signature] = [0, 1, 2].map(|index| part(&token, index));
    let last = header.chars().last().unwrap();
    let json = json!({"protected": header, "payload": payload, "signature": signature});
    for other in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.clone(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{signature}."),
        format!(".{header}.{payload}.{signature}"),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}AA"),
        format!("Bearer {token}"),
        with_part(&token, 0, &format!("{header}=")),
        with_part(&token, 0, &format!("{header}\n")),
        with_part(&token, 1, &format!("{payload}==")),
        with_part(&token, 1, &format!(" {payload}")),
        token.replace('.', "%2E"),
        token.replace(last, "+"),
        json.to_string(),
        json!({"payload": payload, "signatures": [json]}).to_string(),
        // Five parts, as an encrypted token has (RFC 7516 §3.1).
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
    ] {
        assert_eq!(bed.refuse(&other), Rejection::Malformed, "{other:?}");
    }
}

#[test]
fn the_last_character_of_a_signature_has_one_spelling() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bed = Bed::new();
    let token = bed.mint(&claims());
    let (body, last) = token.split_at(token.len() - 1);
    let good = ALPHABET.find(last).unwrap();
    assert_eq!(good % 16, 0, "64 bytes leave four bits that are zero");
    for bits in 1..16 {
        let other = &ALPHABET[good + bits..=good + bits];
        assert_eq!(bed.refuse(&format!("{body}{other}")), Rejection::Malformed);
    }
}

#[test]
fn a_payload_is_one_object() {
    let bed = Bed::new();
    let good = payload().to_string();
    for payload in [
        String::new(),
        "null".into(),
        "[]".into(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good.replace('"', "'"),
        // A token in a token.
        bed.mint(&claims()),
        serde_json::to_string(&bed.mint(&claims())).unwrap(),
    ] {
        assert_eq!(bed.refuse(&bed.seal_payload(&payload)), Rejection::Payload, "{payload}");
    }
    let spaced = format!(" \r\n\t{good}\n");
    assert!(bed.verify(&bed.seal_payload(&spaced)).is_ok(), "white space is JSON");
}

#[test]
fn depth_and_size_are_bounded() {
    let bed = Bed::new();
    let mut deep = payload();
    deep["x"] = (0..11).fold(json!(1), |inner, _| json!([inner]));
    assert!(bed.verify(&bed.seal_payload(&deep.to_string())).is_ok());
    deep["x"] = json!([deep["x"]]);
    assert_eq!(bed.refuse(&bed.seal_payload(&deep.to_string())), Rejection::Payload);
    let text = payload().to_string().replacen('{', &format!(r#"{{"x":{},"#, "[".repeat(4000)), 1);
    assert_eq!(bed.refuse(&bed.seal_payload(&text)), Rejection::Payload);

    let sized = |length: usize| {
        let mut payload = payload();
        payload["x"] = json!("x".repeat(length));
        bed.seal_payload(&payload.to_string())
    };
    let short = sized(0).len();
    let most = (LARGEST_TOKEN - short) * 3 / 4 - 2;
    assert!(bed.verify(&sized(most)).is_ok());
    assert_eq!(bed.refuse(&sized(most + 8)), Rejection::TooLarge);
    assert_eq!(bed.refuse(&"a".repeat(100 << 20)), Rejection::TooLarge);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_is_believed(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(Bed::new().verify(&text).is_err());
    }

    #[test]
    fn no_signed_bytes_make_it_panic(header in "\\PC{0,60}", payload: Vec<u8>) {
        let bed = Bed::new();
        let payload = String::from_utf8_lossy(&payload);
        prop_assert!(bed.verify(&bed.seal(&header, &payload)).is_err());
        prop_assert!(bed.verify(&bed.seal_payload(&payload)).is_err());
    }

    #[test]
    fn no_change_of_one_character_is_believed(at in 0usize..900, to in "[A-Za-z0-9_.-]") {
        let bed = Bed::new();
        let token = bed.mint(&claims());
        let at = at % token.len();
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(bed.verify(&changed).is_err());
    }
}
