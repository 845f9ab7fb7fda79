#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod attacks;
mod holder;
mod matrix;
mod speed;

use super::*;
use crate::base64url;
use crate::keys::{Jwks, LocalKey, Signer};
use crate::token::{Actor, AuthorizationDetail, Lifetime, Minter, StatusReference, TaskClaim};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const ISSUER: &str = "https://broker.example";
const AUDIENCE: &str = "https://api.example";

/// A key, and a verifier that knows it.
struct Bed {
    key: Arc<LocalKey>,
    verifier: Verifier,
}

impl Bed {
    fn new() -> Self {
        let key = Arc::new(LocalKey::generate().unwrap());
        let jwks: Jwks = [*key.public_jwk()].into_iter().collect();
        Self { key, verifier: Verifier::new((&jwks).into()) }
    }

    fn mint(&self, claims: &Claims) -> String {
        let signer = Arc::clone(&self.key) as Arc<dyn Signer>;
        Minter::new(signer).sign(claims).unwrap().expose().to_owned()
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "kid": self.key.kid(), "typ": "at+jwt" })
    }

    /// Signs any header and payload with the good key.
    fn seal(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url::encode(signature))
    }

    fn seal_payload(&self, payload: &str) -> String {
        self.seal(&self.header().to_string(), payload)
    }

    fn seal_header(&self, header: &Value) -> String {
        self.seal(&header.to_string(), &payload().to_string())
    }

    fn verify(&self, token: &str) -> Result<Verified<Claims>, Rejection> {
        self.verifier.verify(token, &expected(), NOW)
    }

    fn refuse(&self, token: &str) -> Rejection {
        self.verify(token).expect_err(token)
    }
}

fn expected() -> Expectations<'static> {
    Expectations { issuer: ISSUER, audience: Audience::Is(AUDIENCE), holder: Holder::Bearer }
}

/// The claims of a child task, with every member that a bearer token can have.
fn claims() -> Claims {
    let text = str::to_owned;
    Claims {
        issuer: text(ISSUER),
        subject: text("uid:1000"),
        audience: text(AUDIENCE),
        client_id: text("writ"),
        lifetime: Lifetime::new(NOW, Duration::from_secs(60), UnixMillis(u64::MAX)).unwrap(),
        jti: text("3q2-7wAAAAAAAAAAAAAAAA"),
        scope: vec![text("repo:read"), text("repo:list")],
        txn: text("task-00"),
        task: TaskClaim {
            id: text("task-02"),
            parent: Some(text("task-01")),
            depth: 2,
            component: Some(text("sha256:00")),
        },
        act: vec![
            Actor { subject: text("task-02") },
            Actor { subject: text("task-01") },
            Actor { subject: text("task-00") },
        ],
        authorization_details: vec![AuthorizationDetail {
            kind: text("http"),
            locations: vec![text("https://api.example/repos/")],
            actions: vec![text("GET")],
            identifier: Some(text("github")),
        }],
        bound_to: None,
        status: Some(StatusReference { index: 7, uri: text("https://broker.example/status/1") }),
    }
}

fn payload() -> Value {
    serde_json::to_value(claims()).unwrap()
}

#[test]
fn what_is_minted_is_read_back_whole() {
    let bed = Bed::new();
    assert_eq!(bed.verify(&bed.mint(&claims())).unwrap().into_inner(), claims());
    let root = Claims {
        scope: Vec::new(),
        task: TaskClaim { id: "task-00".into(), parent: None, depth: 0, component: None },
        act: Vec::new(),
        authorization_details: Vec::new(),
        status: None,
        ..claims()
    };
    assert_eq!(bed.verify(&bed.mint(&root)).unwrap().into_inner(), root);
    assert_eq!(
        bed.verify(&bed.seal_payload(&payload().to_string())).unwrap().into_inner(),
        claims()
    );
}

#[test]
fn a_token_says_what_the_standards_say_it_does() {
    assert_eq!(
        payload(),
        json!({
            "iss": ISSUER,
            "sub": "uid:1000",
            "aud": AUDIENCE,
            "client_id": "writ",
            "iat": 1_800_000_000,
            "exp": 1_800_000_060,
            "jti": "3q2-7wAAAAAAAAAAAAAAAA",
            "scope": "repo:read repo:list",
            "txn": "task-00",
            "task": {"id": "task-02", "parent": "task-01", "depth": 2, "component": "sha256:00"},
            "act": {"sub": "task-02", "act": {"sub": "task-01", "act": {"sub": "task-00"}}},
            "authorization_details": [{
                "type": "http",
                "locations": ["https://api.example/repos/"],
                "actions": ["GET"],
                "identifier": "github",
            }],
            "status": {"status_list": {"idx": 7, "uri": "https://broker.example/status/1"}},
        })
    );
}

#[test]
fn a_claim_that_is_not_known_is_passed_over() {
    let bed = Bed::new();
    let mut payload = payload();
    payload["x"] = json!({"y": [1]});
    assert!(bed.verify(&bed.seal_payload(&payload.to_string())).is_ok());
}

#[test]
fn nothing_is_minted_that_the_verifier_would_refuse() {
    let bed = Bed::new();
    let minter = Minter::new(Arc::clone(&bed.key) as Arc<dyn Signer>);
    let refused = |change: fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        minter.sign(&claims).unwrap_err().to_string()
    };
    for (change, words) in [
        ((|c| c.subject.clear()) as fn(&mut Claims), "`sub`"),
        (|c| c.audience = "a\u{1b}[2J".into(), "`aud`"),
        (|c| c.scope.push("a b".into()), "`scope`"),
        (|c| c.scope.push(String::new()), "`scope`"),
        (|c| c.task.parent = None, "`task`"),
        (|c| c.task.depth = 0, "`task`"),
        (|c| c.task.depth = 9, "`task`"),
        (|c| c.act = vec![Actor { subject: "a".into() }; 10], "`act`"),
        (|c| c.authorization_details[0].kind.clear(), "`authorization_details`"),
        (|c| c.authorization_details[0].actions = vec!["x".repeat(1000); 32], "too long"),
    ] {
        let message = refused(change);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn neither_token_nor_minter_shows_what_it_holds() {
    let bed = Bed::new();
    let minter = Minter::new(Arc::clone(&bed.key) as Arc<dyn Signer>);
    let token = minter.sign(&claims()).unwrap();
    assert_eq!(format!("{token:?}"), "AccessToken(..)");
    assert_eq!(format!("{minter:?}"), format!("Minter {{ kid: {:?}, .. }}", bed.key.kid()));
}

#[test]
fn no_word_of_a_refusal_comes_from_the_token() {
    let bed = Bed::new();
    let mut payload = payload();
    for name in ["iss", "aud", "sub", "jti"] {
        payload[name] = json!(format!("canary-{name}"));
    }
    payload["canary-claim"] = json!("canary");
    for token in [
        bed.seal_payload(&payload.to_string()),
        bed.seal_header(&json!({"alg": "canary", "kid": "canary", "typ": "at+jwt"})),
        "canary.canary.canary".to_owned(),
    ] {
        let rejection = bed.refuse(&token);
        assert!(!format!("{rejection} {rejection:?}").contains("canary"), "{rejection}");
        assert_eq!(rejection.error(), "invalid_token");
    }
}
