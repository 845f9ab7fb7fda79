#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::keys::{Jwks, LocalKey};
use serde_json::Value;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const URI: &str = "https://broker.example/status/1";
const LIFE: Duration = Duration::from_secs(60);

struct Bed {
    key: Arc<LocalKey>,
    keys: KeySet,
}

impl Bed {
    fn new() -> Self {
        let key = Arc::new(LocalKey::generate().unwrap());
        let jwks: Jwks = [*key.public_jwk()].into_iter().collect();
        Self { key, keys: (&jwks).into() }
    }

    fn open(&self, token: &str, now: u64) -> Result<StatusSnapshot, StatusError> {
        StatusSnapshot::open(token, &self.keys, URI, UnixMillis(now), LIFE)
    }

    fn seal(&self, kind: &str, payload: &Value) -> String {
        Sealer::named(kind, &*self.key).seal(payload.to_string().as_bytes(), &*self.key).unwrap()
    }

    fn refuse(&self, payload: &Value) -> StatusError {
        self.open(&self.seal(TYPE, payload), NOW.0).unwrap_err()
    }
}

fn statuses() -> Statuses {
    let mut statuses = Statuses::new(Bits::Two, 64);
    assert!(statuses.set(7, Status::Invalid) && statuses.set(8, Status::Suspended));
    statuses
}

fn sign(bed: &Bed) -> String {
    let issuer = StatusIssuer::new(Arc::clone(&bed.key) as Arc<dyn Signer>);
    issuer.sign(URI, &statuses(), NOW, Duration::from_secs(2), LIFE).unwrap()
}

fn payload() -> Value {
    json!({
        "sub": URI,
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
        "ttl": 2,
        "status_list": {"bits": 2, "lst": base64url::encode(statuses().pack())},
    })
}

#[test]
fn a_signed_list_says_what_was_put_in() {
    let bed = Bed::new();
    let snapshot = bed.open(&sign(&bed), NOW.0).unwrap();
    assert_eq!(snapshot.get(6, NOW), Ok(Status::Valid));
    assert_eq!(snapshot.get(7, NOW), Ok(Status::Invalid));
    assert_eq!(snapshot.get(8, NOW), Ok(Status::Suspended));
    assert_eq!(snapshot.get(64, NOW), Err(StatusError::OutOfRange));
    assert_eq!(snapshot.refresh_at(), UnixMillis(NOW.0 + 2_000));
    assert_eq!(snapshot.uri(), URI);
}

#[test]
fn a_list_is_believed_until_its_end_and_no_longer_than_the_checker_says() {
    let bed = Bed::new();
    let token = sign(&bed);
    let snapshot = bed.open(&token, NOW.0).unwrap();
    let at = |ms| snapshot.get(6, UnixMillis(NOW.0 + ms));
    assert_eq!(at(59_999), Ok(Status::Valid));
    assert_eq!(at(60_000), Err(StatusError::Stale));
    assert_eq!(snapshot.get(6, UnixMillis(NOW.0 - 5_001)), Err(StatusError::Stale));
    assert_eq!(bed.open(&token, NOW.0 + 60_000), Err(StatusError::Stale), "an old copy");
    assert_eq!(bed.open(&token, NOW.0 - 5_001), Err(StatusError::Stale), "dated ahead");
    let short = Duration::from_secs(10);
    let snapshot = StatusSnapshot::open(&token, &bed.keys, URI, NOW, short).unwrap();
    assert_eq!(snapshot.get(6, UnixMillis(NOW.0 + 10_000)), Err(StatusError::Stale));
}

#[test]
fn another_list_or_another_kind_of_token_is_refused() {
    let bed = Bed::new();
    let mut other = payload();
    other["sub"] = json!("https://broker.example/status/2");
    assert_eq!(bed.refuse(&other), StatusError::Other);
    for kind in ["at+jwt", "JWT", "statuslist+cwt"] {
        let token = bed.seal(kind, &payload());
        assert_eq!(bed.open(&token, NOW.0), Err(StatusError::List(Rejection::Type)), "{kind}");
    }
    let stranger = sign(&Bed::new());
    assert_eq!(bed.open(&stranger, NOW.0), Err(StatusError::List(Rejection::UnknownKey)));
    let long = "a".repeat(LARGEST_LIST + 1);
    assert_eq!(bed.open(&long, NOW.0), Err(StatusError::List(Rejection::TooLarge)));
}

#[test]
fn every_member_is_there_and_of_its_type() {
    let bed = Bed::new();
    assert!(bed.open(&bed.seal(TYPE, &payload()), NOW.0).is_ok());
    for name in ["sub", "iat", "exp", "status_list"] {
        let mut missing = payload();
        missing.as_object_mut().unwrap().remove(name);
        assert_eq!(bed.refuse(&missing), StatusError::List(Rejection::Missing(name)));
    }
    for (path, values) in [
        ("/sub", vec![json!(1), json!([URI]), json!("")]),
        ("/iat", vec![json!("1"), json!(-1)]),
        ("/exp", vec![json!("1"), json!(-1)]),
        ("/ttl", vec![json!("2"), json!(-1)]),
        ("/status_list", vec![json!([]), json!({}), json!("x")]),
        ("/status_list/bits", vec![json!(0), json!(3), json!(4), json!(8), json!(9), json!("1")]),
        ("/status_list/lst", vec![json!(""), json!("AA=="), json!("AAAA"), json!(1), json!([])]),
    ] {
        for value in values {
            let mut changed = payload();
            *changed.pointer_mut(path).unwrap() = value.clone();
            let name = path.split('/').nth(1).unwrap();
            let StatusError::List(Rejection::Invalid(found)) = bed.refuse(&changed) else {
                panic!("{path} as {value}");
            };
            assert_eq!(found, name, "{path} as {value}");
        }
    }
}

#[test]
fn a_list_without_a_ttl_is_fetched_again_when_it_ends() {
    let bed = Bed::new();
    let mut payload = payload();
    payload.as_object_mut().unwrap().remove("ttl");
    let snapshot = bed.open(&bed.seal(TYPE, &payload), NOW.0).unwrap();
    assert_eq!(snapshot.refresh_at(), UnixMillis(NOW.0 + 60_000));
}
