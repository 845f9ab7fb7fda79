#![expect(clippy::unwrap_used, reason = "a test may fail")]
//! An authorization server that takes only what the standards say.

use super::super::source::Source;
use super::*;
use crate::id::{LeaseId, TaskId};
use crate::providers::config::{ClientAuth, OauthConfig};
use crate::providers::http::Endpoint;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use writ_test_support::{Answer, Api, Heard, TestCa};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TOKEN: &str = "upstream-t0ken";

/// What the server says to a well-formed request.
type Says = fn(&BTreeMap<String, String>) -> Answer;

struct Bed {
    api: Api,
    dir: TempDir,
}

fn granted(_: &BTreeMap<String, String>) -> Answer {
    Answer::json(
        200,
        format!(
            r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":600,"scope":"read"}}"#
        ),
    )
}

/// Reads a form strictly: every pair named once, every triplet whole.
fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        assert!(!text.contains(['+', ' ', '"', '<']), "{text}");
        percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
    };
    let mut pairs = BTreeMap::new();
    for pair in body.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(pairs.insert(decode(name), decode(value)).is_none(), "{name} twice");
    }
    pairs
}

/// The strict part of the server: method, media type, client; then what the test wants.
fn serve(says: Says) -> impl FnMut(&Heard) -> Answer + Send + 'static {
    move |heard| {
        let basic = STANDARD.encode("the%20client:s%3Acret%2F%25");
        let authorized = heard.header("authorization") == Some(&format!("Basic {basic}"));
        if heard.method != "POST"
            || heard.header("content-type") != Some("application/x-www-form-urlencoded")
        {
            return Answer::json(400, r#"{"error":"invalid_request"}"#);
        }
        if !authorized {
            return Answer::json(401, r#"{"error":"invalid_client"}"#);
        }
        let form = form(&heard.body);
        match heard.path.as_str() {
            "/token" => says(&form),
            "/revoke" if form.get("token").is_some_and(|token| token == TOKEN) => {
                Answer::empty(200)
            }
            _ => Answer::empty(404),
        }
    }
}

impl Bed {
    fn new(says: Says) -> Self {
        Self::serving(serve(says))
    }

    fn serving(answer: impl FnMut(&Heard) -> Answer + Send + 'static) -> Self {
        let ca = TestCa::new();
        let dir = tempfile::tempdir().unwrap();
        private(&dir.path().join("ca"), ca.pem().as_bytes());
        private(&dir.path().join("secret"), b"s:cret/%\n");
        Self { api: Api::start(&ca, answer), dir }
    }

    fn config(&self) -> OauthConfig {
        let endpoint = |path: &str| Endpoint::parse(&format!("{}{path}", self.api.base())).unwrap();
        OauthConfig {
            token_endpoint: endpoint("/token"),
            revocation_endpoint: Some(endpoint("/revoke")),
            client_id: "the client".to_owned(),
            auth: ClientAuth::Basic(Source::File(self.dir.path().join("secret"))),
            exchange: false,
            scope: vec!["read".to_owned(), "write".to_owned()],
            audience: None,
            longest_life: Duration::from_secs(3600),
            ca: Some(self.dir.path().join("ca")),
        }
    }

    fn client(&self) -> OauthClient {
        client(self.config())
    }
}

fn client(config: OauthConfig) -> OauthClient {
    OauthClient::new(config, Surroundings::new(|_| None))
}

fn private(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn ask(n: u8) -> LeaseAsk {
    LeaseAsk {
        credential: "api".to_owned(),
        lease: LeaseId::from_random([n; 10]),
        task: TaskId::from_random([n; 10]),
        at: NOW,
        ttl: Duration::from_secs(60),
        scope: None,
        resource: None,
        subject: None,
    }
}

async fn lease(client: &OauthClient, ask: &LeaseAsk) -> Result<Leased, ProviderError> {
    client.lease(ask, &client.intent(ask), NOW).await
}

fn bearer(leased: &Leased) -> &str {
    match &leased.material {
        Material::Bearer(token) => token.expose(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_leased_for_the_client_and_revoked() {
    let bed = Bed::new(|form| {
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "read write");
        granted(form)
    });
    let client = bed.client();
    let leased = lease(&client, &ask(1)).await.unwrap();
    assert_eq!(bearer(&leased), TOKEN);
    assert_eq!(leased.expires, Some(UnixMillis(NOW.0 + 600_000)));
    assert!(!serde_json::to_string(&leased.handle).unwrap().contains(TOKEN));
    assert_eq!(client.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(client.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    let paths: Vec<_> = bed.api.heard().into_iter().map(|heard| heard.path).collect();
    assert_eq!(paths, ["/token", "/revoke"]);
}

#[tokio::test]
async fn a_token_of_the_task_is_exchanged() {
    let bed = Bed::new(|form| {
        assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:token-exchange");
        assert_eq!(form["subject_token"], "our.own.token");
        assert_eq!(form["subject_token_type"], "urn:ietf:params:oauth:token-type:jwt");
        assert_eq!(form["audience"], "https://api.example.com/?a=b&c");
        assert_eq!(form["scope"], "read");
        granted(form)
    });
    let audience = Some("https://api.example.com/?a=b&c".to_owned());
    let client = client(OauthConfig { exchange: true, audience, ..bed.config() });
    let without = LeaseAsk { scope: Some("read".to_owned()), ..ask(1) };
    assert!(matches!(lease(&client, &without).await, Err(ProviderError::Never { .. })));
    let subject = Some(Secret::new("our.own.token".to_owned()).unwrap());
    let with = LeaseAsk { subject, scope: Some("read".to_owned()), ..ask(2) };
    assert_eq!(bearer(&lease(&client, &with).await.unwrap()), TOKEN);
}

#[tokio::test]
async fn a_client_with_a_key_signs_a_short_jwt_for_the_token_endpoint() {
    let key =
        EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public: Vec<u8> = key.public_key().as_ref().to_vec();
    let der = key.to_pkcs8v1().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let bed = Bed::serving(move |heard| {
        assert_eq!(heard.header("authorization"), None);
        let form = form(&heard.body);
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let (message, signature) = form["client_assertion"].rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
            .verify(message.as_bytes(), &signature)
            .unwrap();
        let part = |n| {
            let part = URL_SAFE_NO_PAD.decode(message.split('.').nth(n).unwrap()).unwrap();
            serde_json::from_slice::<serde_json::Value>(&part).unwrap()
        };
        assert_eq!((&part(0)["alg"], &part(0)["kid"]), (&"ES256".into(), &"key-1".into()));
        let claims = part(1);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"the client".into(), &"the client".into()));
        assert_eq!(claims["exp"], 1_800_000_060);
        assert!(claims["aud"].as_str().unwrap().ends_with("/token"));
        granted(&form)
    });
    private(&bed.dir.path().join("key"), pem.as_bytes());
    let key = Source::File(bed.dir.path().join("key"));
    let auth = ClientAuth::PrivateKey { key, key_id: Some("key-1".to_owned()) };
    let client = client(OauthConfig { auth, revocation_endpoint: None, ..bed.config() });
    let leased = lease(&client, &ask(1)).await.unwrap();
    // Without a revocation endpoint the end is said honestly.
    let lapses = Revoked::Lapses(Some(UnixMillis(NOW.0 + 600_000)));
    for _ in 0..2 {
        assert_eq!(client.revoke(&leased.handle, NOW).await, Ok(lapses));
    }
}

#[tokio::test]
async fn scope_is_never_wider_than_the_operator_allows() {
    let bed = Bed::new(granted);
    let client = bed.client();
    for scope in ["admin", "read admin", "READ", "", " "] {
        let wide = LeaseAsk { scope: Some(scope.to_owned()), ..ask(1) };
        let error = lease(&client, &wide).await.unwrap_err();
        assert!(matches!(error, ProviderError::Beyond { .. }), "{scope}");
    }
    assert!(bed.api.heard().is_empty());
}

#[tokio::test]
async fn a_token_that_is_more_than_was_asked_for_is_refused_and_still_revoked() {
    let all: [Says; 3] = [
        |_: &_| {
            Answer::json(
                200,
                format!(
                    r#"{{"access_token":"{TOKEN}","token_type":"bearer","expires_in":600,"scope":"read admin"}}"#
                ),
            )
        },
        |_: &_| {
            Answer::json(
                200,
                format!(r#"{{"access_token":"{TOKEN}","token_type":"bearer","expires_in":86400}}"#),
            )
        },
        |_: &_| {
            Answer::json(
                200,
                format!(r#"{{"access_token":"{TOKEN}","token_type":"mac","expires_in":600}}"#),
            )
        },
    ];
    for says in all {
        let bed = Bed::new(says);
        let client = bed.client();
        let error = lease(&client, &ask(1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Never { .. }), "{error}");
        let handle = client.intent(&ask(1)).into_handle();
        assert_eq!(client.revoke(&handle, NOW).await, Ok(Revoked::Gone));
        assert_eq!(bed.api.heard().last().unwrap().path, "/revoke");
    }
}

#[tokio::test]
async fn what_the_server_refuses_says_what_to_do_and_nothing_of_its_text() {
    let all: [(Says, bool, &str); 8] = [
        (
            (|_: &_| Answer::json(400, r#"{"error":"invalid_scope","error_description":"leak"}"#)),
            true,
            "400 (invalid_scope)",
        ),
        (|_: &_| Answer::json(400, r#"{"error":"<b>leak"}"#), true, "answered 400"),
        (
            |_: &_| Answer { headers: vec![("retry-after", "7".to_owned())], ..Answer::empty(429) },
            false,
            "429",
        ),
        (|_: &_| Answer::empty(503), false, "503"),
        (|_: &_| Answer::json(302, "{}"), true, "302"),
        (
            |_: &_| Answer::json(200, r#"{"access_token":"le\r\nak","token_type":"bearer"}"#),
            true,
            "no token response",
        ),
        (
            |_: &_| Answer { headers: vec![], ..granted(&BTreeMap::new()) },
            true,
            "no token response",
        ),
        (|_: &_| Answer::json(200, "x".repeat(70_000)), false, "too large"),
    ];
    for (says, never, piece) in all {
        let bed = Bed::new(says);
        let error = lease(&bed.client(), &ask(1)).await.unwrap_err();
        assert_eq!(matches!(error, ProviderError::Never { .. }), never, "{error}");
        assert!(error.to_string().contains(piece), "{error}");
        assert!(!format!("{error:?}").contains("leak"));
        if let ProviderError::Later { after: Some(after), .. } = error {
            assert_eq!(after, Duration::from_secs(7));
        }
    }
}

#[tokio::test]
async fn a_revocation_that_fails_is_tried_with_the_same_token() {
    let mut tries = 0;
    let mut strict = serve(granted);
    let bed = Bed::serving(move |heard| {
        tries += u8::from(heard.path == "/revoke");
        if heard.path == "/revoke" && tries == 1 { Answer::empty(503) } else { strict(heard) }
    });
    let client = bed.client();
    let leased = lease(&client, &ask(1)).await.unwrap();
    let error = client.revoke(&leased.handle, NOW).await.unwrap_err();
    assert!(matches!(error, ProviderError::Later { .. }));
    assert_eq!(client.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn a_server_that_never_revokes_keeps_nobody_waiting_beyond_the_tokens_end() {
    let mut strict = serve(granted);
    let bed = Bed::serving(move |heard| match heard.path.as_str() {
        "/revoke" => Answer::empty(500),
        _ => strict(heard),
    });
    let client = bed.client();
    let leased = lease(&client, &ask(1)).await.unwrap();
    let (end, minute) = (leased.expires.unwrap(), 60_000);
    for now in [NOW, end, UnixMillis(end.0 + minute)] {
        let error = client.revoke(&leased.handle, now).await.unwrap_err();
        assert!(matches!(error, ProviderError::Later { .. }), "{error}");
    }
    for _ in 0..2 {
        let lapsed = client.revoke(&leased.handle, UnixMillis(end.0 + minute + 1)).await;
        assert_eq!(lapsed, Ok(Revoked::Lapses(Some(end))));
    }
}

#[tokio::test]
async fn a_server_that_revokes_no_access_tokens_says_so_and_they_lapse() {
    let mut strict = serve(granted);
    let bed = Bed::serving(move |heard| match heard.path.as_str() {
        "/revoke" => Answer::json(400, r#"{"error":"unsupported_token_type"}"#),
        _ => strict(heard),
    });
    let client = bed.client();
    let leased = lease(&client, &ask(1)).await.unwrap();
    for _ in 0..2 {
        let lapses = client.revoke(&leased.handle, NOW).await;
        assert_eq!(lapses, Ok(Revoked::Lapses(leased.expires)));
    }
}

#[tokio::test]
async fn only_a_refusal_proves_that_nothing_was_made() {
    let lapses = Revoked::Lapses(Some(UnixMillis(NOW.0 + 3_650_000)));
    let all: [(Says, Revoked); 4] = [
        (|_: &_| Answer::json(400, r#"{"error":"invalid_scope"}"#), Revoked::Gone),
        (|_: &_| Answer::empty(408), lapses),
        (|_: &_| Answer::empty(502), lapses),
        (|_: &_| Answer::json(200, r#"{"token_type":"bearer"}"#), lapses),
    ];
    for (says, expected) in all {
        let bed = Bed::new(says);
        let client = bed.client();
        lease(&client, &ask(1)).await.unwrap_err();
        let handle = client.intent(&ask(1)).into_handle();
        for _ in 0..2 {
            assert_eq!(client.revoke(&handle, NOW).await, Ok(expected));
        }
        assert_eq!(bed.api.heard().len(), 1, "there is no token to revoke");
    }
}

#[tokio::test]
async fn after_a_restart_a_token_lapses_and_the_intent_says_when() {
    let bed = Bed::new(granted);
    let ask = ask(1);
    let intent = bed.client().intent(&ask);
    lease(&bed.client(), &ask).await.unwrap();
    let restarted = bed.client();
    let expected = Revoked::Lapses(Some(UnixMillis(NOW.0 + 3_650_000)));
    assert_eq!(restarted.revoke(&intent.into_handle(), NOW).await, Ok(expected));
    assert_eq!(lease(&restarted, &ask).await.unwrap_err(), ProviderError::Gone);
}

#[tokio::test]
async fn a_server_with_a_strange_certificate_never_sees_the_secret() {
    let bed = Bed::new(granted);
    let client = client(OauthConfig { ca: None, ..bed.config() });
    let error = lease(&client, &ask(1)).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Never { why } if why.contains("certificate")),
        "{error}"
    );
    assert!(bed.api.heard().is_empty());
}
