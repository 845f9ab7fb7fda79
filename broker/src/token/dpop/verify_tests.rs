#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::base64url;
use crate::keys::{LocalKey, Signer};
use crate::token::AccessToken;
use crate::token::dpop::{NONCE_STEP, ProofAsk, Prover};
use proptest::prelude::*;
use serde_json::json;
use zeroize::Zeroizing;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const URL: &str = "https://api.example/repos/acme";

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

fn verifier() -> ProofVerifier {
    ProofVerifier::new(Capacity::default(), None)
}

/// Signs any header and claims with a key.
fn seal(key: &LocalKey, header: &Value, claims: &str) -> String {
    let header = base64url::encode(header.to_string());
    let signed = format!("{header}.{}", base64url::encode(claims));
    format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes()).unwrap()))
}

fn header(key: &LocalKey) -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk() })
}

fn claims() -> Value {
    json!({ "jti": "e1j3V_bKic8-LAEB", "htm": "GET", "htu": URL, "iat": NOW.0 / 1000 })
}

fn check(proof: &str) -> Result<Verified<Thumbprint>, ProofRejection> {
    let target = target(URL);
    let expected = ProofExpectations { method: "GET", target: &target, token: None };
    verifier().verify(proof, &expected, NOW)
}

fn check_claims_of(claims: &Value) -> Result<(), ProofRejection> {
    let key = LocalKey::generate().unwrap();
    check(&seal(&key, &header(&key), &claims.to_string())).map(|_| ())
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

#[test]
fn a_proof_gives_back_the_key_of_its_sender() {
    let prover = Prover::generate().unwrap();
    let (target, token) = (target(URL), AccessToken::new("token".into()));
    let ask = ProofAsk { method: "POST", target: &target, token: Some(&token), nonce: None };
    let proof = prover.prove(&ask, "jti", NOW).unwrap();
    let expected =
        ProofExpectations { method: "POST", target: &target, token: Some(token.expose()) };
    let key = verifier().verify(proof.expose(), &expected, NOW).unwrap();
    assert_eq!(&*key, prover.thumbprint());
    assert_eq!(format!("{proof:?} {prover:?}"), "Proof(..) Prover(..)");
}

#[test]
fn the_examples_of_rfc_9449_are_good() {
    // §4.2 (at a token endpoint) and §7.1 (at a resource).
    let header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    for (claims, signature, method, url, token, at) in [
        (
            "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ",
            "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
            "POST",
            "https://server.example.com/token",
            None,
            1_562_262_616,
        ),
        (
            "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9",
            "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
            "GET",
            "https://resource.example.org/protectedresource",
            Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            1_562_262_618,
        ),
    ] {
        let target = target(url);
        let expected = ProofExpectations { method, target: &target, token };
        let proof = format!("{header}.{claims}.{signature}");
        let key = verifier().verify(&proof, &expected, UnixMillis(at * 1000)).unwrap();
        assert_eq!(key.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }
}

#[test]
fn a_proof_is_good_once_whoever_sends_it() {
    let (verifier, target) = (verifier(), target(URL));
    let prover = Prover::generate().unwrap();
    let ask = ProofAsk { method: "GET", target: &target, token: None, nonce: None };
    let proof = prover.prove(&ask, "jti", NOW).unwrap();
    let expected = ProofExpectations { method: "GET", target: &target, token: None };
    let verify = |at| verifier.verify(proof.expose(), &expected, UnixMillis(at)).map(|_| ());
    assert_eq!(verify(NOW.0), Ok(()));
    assert_eq!(verify(NOW.0), Err(ProofRejection::Replayed));
    // Signed anew with the same name it is still the same proof.
    let again = prover.prove(&ask, "jti", NOW).unwrap();
    let verdict = verifier.verify(again.expose(), &expected, NOW).map(|_| ());
    assert_eq!(verdict, Err(ProofRejection::Replayed));
    assert_eq!(verify(NOW.0 + 60_000), Err(ProofRejection::Replayed));
    assert_eq!(verify(NOW.0 + 60_001), Err(ProofRejection::Time));
}

#[test]
fn a_proof_is_for_one_method_and_one_place() {
    for (name, other) in [
        ("htm", "POST"),
        ("htm", "get"),
        ("htm", "GET "),
        ("htu", "https://evil.example/repos/acme"),
        ("htu", "http://api.example/repos/acme"),
        ("htu", "https://api.example:8443/repos/acme"),
        ("htu", "https://api.example/repos/acme/"),
        ("htu", "https://api.example/repos/ACME"),
        ("htu", "/repos/acme"),
        ("htu", "https://api.example@evil.example/repos/acme"),
    ] {
        let verdict = check_claims_of(&with(claims(), name, json!(other)));
        assert_eq!(verdict, Err(ProofRejection::Request), "{other}");
    }
    for same in [
        "https://api.example:443/repos/acme",
        "HTTPS://API.EXAMPLE/repos/acme",
        "https://api.example/repos/acme?page=2#top",
        "https://api.example/x/../repos/%61cme",
    ] {
        assert_eq!(check_claims_of(&with(claims(), "htu", json!(same))), Ok(()), "{same}");
    }
}

#[test]
fn a_proof_was_made_just_now() {
    let seconds = NOW.0 / 1000;
    for (iat, verdict) in [
        (seconds - 60, Ok(())),
        (seconds - 61, Err(ProofRejection::Time)),
        (seconds + 5, Ok(())),
        (seconds + 6, Err(ProofRejection::Time)),
        (0, Err(ProofRejection::Time)),
        (u64::MAX, Err(ProofRejection::Time)),
    ] {
        assert_eq!(check_claims_of(&with(claims(), "iat", json!(iat))), verdict, "{iat}");
    }
}

#[test]
fn a_proof_is_for_the_token_that_comes_with_it() {
    let prover = Prover::generate().unwrap();
    let (target, token) = (target(URL), AccessToken::new("token".into()));
    let verify = |token: Option<&AccessToken>, sent: Option<&str>| {
        let ask = ProofAsk { method: "GET", target: &target, token, nonce: None };
        let proof = prover.prove(&ask, "jti", NOW).unwrap();
        let expected = ProofExpectations { method: "GET", target: &target, token: sent };
        verifier().verify(proof.expose(), &expected, NOW).map(|_| ())
    };
    assert_eq!(verify(Some(&token), Some("token")), Ok(()));
    assert_eq!(verify(Some(&token), Some("other")), Err(ProofRejection::Token));
    assert_eq!(verify(None, Some("token")), Err(ProofRejection::Token));
    assert_eq!(verify(Some(&token), None), Err(ProofRejection::Token));
}

#[test]
fn a_nonce_is_asked_for_and_then_taken() {
    let nonces = || Nonces::new(&Zeroizing::new([7; 32]), NONCE_STEP);
    let verifier = ProofVerifier::new(Capacity::default(), Some(nonces()));
    let (prover, target) = (Prover::generate().unwrap(), target(URL));
    let verify = |nonce: Option<&str>, jti: &str| {
        let ask = ProofAsk { method: "GET", target: &target, token: None, nonce };
        let proof = prover.prove(&ask, jti, NOW).unwrap();
        let expected = ProofExpectations { method: "GET", target: &target, token: None };
        verifier.verify(proof.expose(), &expected, NOW).map(|_| ())
    };
    assert_eq!(verify(None, "a"), Err(ProofRejection::Nonce));
    assert_eq!(verify(Some("made-up"), "a"), Err(ProofRejection::Nonce));
    let old = nonces().current(UnixMillis(NOW.0 - 120_000));
    assert_eq!(verify(Some(&old), "a"), Err(ProofRejection::Nonce));
    // A refused proof was not used: the same name is good with the nonce.
    let nonce = verifier.nonce(NOW).unwrap();
    assert_eq!(verify(Some(&nonce), "a"), Ok(()));
    assert_eq!(verify(Some(&nonce), "a"), Err(ProofRejection::Replayed));
    assert_eq!(ProofRejection::Nonce.error(), "use_dpop_nonce");
}

#[test]
fn every_claim_is_there_and_of_its_type() {
    for name in ["jti", "htm", "htu", "iat"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(check_claims_of(&claims), Err(ProofRejection::Missing(name)));
        for value in [json!(true), json!([]), json!({}), json!(-1), json!("")] {
            let verdict = check_claims_of(&with(claims.clone(), name, value.clone()));
            assert_eq!(verdict, Err(ProofRejection::Invalid(name)), "{name} {value}");
        }
        for value in [json!(null), json!(1.5)] {
            let verdict = check_claims_of(&with(claims.clone(), name, value.clone()));
            assert_eq!(verdict, Err(ProofRejection::Malformed), "{name} {value}");
        }
    }
    for name in ["ath", "nonce"] {
        let verdict = check_claims_of(&with(claims(), name, json!(1)));
        assert_eq!(verdict, Err(ProofRejection::Invalid(name)));
    }
    let verdict = check_claims_of(&with(claims(), "jti", json!("x".repeat(1025))));
    assert_eq!(verdict, Err(ProofRejection::Invalid("jti")));
    let key = LocalKey::generate().unwrap();
    let doubled = claims().to_string().replacen('{', r#"{"htm":"POST","#, 1);
    assert_eq!(check(&seal(&key, &header(&key), &doubled)), Err(ProofRejection::Malformed));
}

#[test]
fn the_header_is_that_of_a_proof() {
    let key = LocalKey::generate().unwrap();
    let jwk = serde_json::to_value(key.public_jwk()).unwrap();
    for (name, value, rejection) in [
        ("typ", json!("JWT"), ProofRejection::Type),
        ("typ", json!("at+jwt"), ProofRejection::Type),
        ("alg", json!("none"), ProofRejection::Algorithm),
        ("alg", json!("HS256"), ProofRejection::Algorithm),
        ("alg", json!("ES384"), ProofRejection::Algorithm),
        ("crit", json!(["b64"]), ProofRejection::Header),
        ("b64", json!(false), ProofRejection::Header),
        ("jku", json!("https://evil.example"), ProofRejection::Header),
        ("x5u", json!("https://evil.example"), ProofRejection::Header),
        ("x5c", json!(["AA"]), ProofRejection::Header),
        ("jwk", json!("AA"), ProofRejection::Key),
        ("jwk", json!({}), ProofRejection::Key),
        ("jwk", json!({"kty": "oct", "k": "AA"}), ProofRejection::Key),
        ("jwk", json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), ProofRejection::Key),
        ("jwk", with(jwk.clone(), "d", json!("AA")), ProofRejection::Key),
        ("jwk", with(jwk.clone(), "crv", json!("P-384")), ProofRejection::Key),
        ("jwk", with(jwk.clone(), "y", jwk["x"].clone()), ProofRejection::Key),
    ] {
        let proof = seal(&key, &with(header(&key), name, value.clone()), &claims().to_string());
        assert_eq!(check(&proof), Err(rejection), "{name} {value}");
    }
    let mut keyless = header(&key);
    keyless.as_object_mut().unwrap().remove("jwk");
    assert_eq!(check(&seal(&key, &keyless, &claims().to_string())), Err(ProofRejection::Key));
    assert_eq!(ProofRejection::Key.error(), "invalid_dpop_proof");
}

#[test]
fn the_signature_is_that_of_the_key_in_the_header() {
    let (key, other) = (LocalKey::generate().unwrap(), LocalKey::generate().unwrap());
    let proof = seal(&other, &header(&key), &claims().to_string());
    assert_eq!(check(&proof), Err(ProofRejection::Signature));
    let good = seal(&key, &header(&key), &claims().to_string());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let zeros = format!("{signed}.{}", base64url::encode([0; 64]));
    assert_eq!(check(&zeros), Err(ProofRejection::Signature));
    assert_eq!(check(&"a".repeat(8193)), Err(ProofRejection::TooLarge));
    assert_eq!(check(&format!("{good}=")), Err(ProofRejection::Malformed));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_is_believed(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(check(&text).is_err());
        let key = LocalKey::generate().unwrap();
        prop_assert!(check(&seal(&key, &header(&key), &text)).is_err());
    }
}
