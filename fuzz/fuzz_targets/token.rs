//! Tokens, proofs, key sets and status lists: no bytes make the readers panic or are believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::Duration;
use writ_broker::clock::UnixMillis;
use writ_broker::keys::KeySet;
use writ_broker::token::dpop::{Capacity, ProofExpectations, ProofVerifier, Target};
use writ_broker::token::status::{Bits, StatusSnapshot, Statuses};
use writ_broker::token::{Audience, Expectations, Holder, Verifier};

/// The key of RFC 7515 A.3, of which the fuzzer has no private half.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k",
"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

static KEY_SET: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::parse(KEYS.as_bytes()).expect("it is a key set"));

fuzz_target!(|bytes: &[u8]| {
    let _ = KeySet::parse(bytes);
    let _ = Statuses::unpack(Bits::Two, bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let expected =
        Expectations { issuer: "i", audience: Audience::Is("a"), holder: Holder::Inquirer };
    assert!(Verifier::new(KEY_SET.clone()).verify(text, &expected, NOW).is_err());
    assert!(StatusSnapshot::open(text, &KEY_SET, "u", NOW, Duration::from_secs(60)).is_err());
    if let Some(target) = Target::parse(text) {
        assert_eq!(Target::parse(target.as_str()).as_ref(), Some(&target));
    }
    let target = Target::parse("https://a.example/").expect("it is a URI");
    let expected = ProofExpectations { method: "GET", target: &target, token: None };
    let verifier = ProofVerifier::new(Capacity::default(), None);
    // A proof brings its own key, but the fuzzer can sign with none.
    assert!(verifier.verify(text, &expected, NOW).is_err());
});
