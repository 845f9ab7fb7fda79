#![expect(clippy::unwrap_used, reason = "a test may fail")]
//! GitHub's API for installations, as its documentation describes it, and no more lenient.

use super::super::source::Source;
use super::*;
use crate::id::{LeaseId, TaskId};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use writ_test_support::{Answer, Api, Heard, TestCa};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

/// The server's side: the App's public key, and the tokens that are alive.
struct GitHub {
    public: Vec<u8>,
    alive: Arc<Mutex<Vec<String>>>,
    /// What is put over the answer to a request for a token.
    twist: Value,
}

impl GitHub {
    fn answer(&mut self, heard: &Heard) -> Answer {
        if heard.header("user-agent").is_none() {
            return Answer::empty(403);
        }
        let fits = heard.header("accept") == Some("application/vnd.github+json")
            && heard.header("x-github-api-version") == Some("2022-11-28");
        if !fits {
            return Answer::empty(400);
        }
        let Some(bearer) = heard.header("authorization").and_then(|v| v.strip_prefix("Bearer "))
        else {
            return Answer::empty(401);
        };
        match (heard.method.as_str(), heard.path.as_str()) {
            ("POST", "/api/v3/app/installations/42/access_tokens") => {
                self.create(bearer, &heard.body)
            }
            ("DELETE", "/api/v3/installation/token") => {
                let mut alive = self.alive.lock().unwrap();
                let before = alive.len();
                alive.retain(|token| token != bearer);
                Answer::empty(if alive.len() < before { 204 } else { 401 })
            }
            _ => Answer::empty(404),
        }
    }

    fn create(&self, jwt: &str, body: &str) -> Answer {
        let (message, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        if key.verify(message.as_bytes(), &signature).is_err() {
            return Answer::empty(401);
        }
        let claims = URL_SAFE_NO_PAD.decode(message.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let (from, to) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
        if claims["iss"] != "12345" || from > NOW.0 / 1000 || to > NOW.0 / 1000 + 600 {
            return Answer::empty(401);
        }
        let asked: Value = serde_json::from_str(body).unwrap();
        let names = asked["repositories"].as_array().unwrap();
        let repositories: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        let mut answer = json!({
            "token": TOKEN,
            "expires_at": "2027-01-15T09:00:00Z",
            "permissions": asked["permissions"],
            "repository_selection": "selected",
            "repositories": repositories,
        });
        answer["permissions"]["metadata"] = "read".into();
        for (key, value) in self.twist.as_object().unwrap() {
            answer[key] = value.clone();
        }
        self.alive.lock().unwrap().push(TOKEN.to_owned());
        Answer::json(201, answer.to_string())
    }
}

struct Bed {
    api: Api,
    alive: Arc<Mutex<Vec<String>>>,
    dir: TempDir,
}

impl Bed {
    fn new(twist: Value) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let alive: Arc<Mutex<Vec<String>>> = Arc::default();
        let public = key.public_key().as_ref().to_vec();
        let mut github = GitHub { public, alive: Arc::clone(&alive), twist };
        let ca = TestCa::new();
        let dir = tempfile::tempdir().unwrap();
        private(&dir.path().join("ca"), ca.pem().as_bytes());
        private(&dir.path().join("key"), pem.as_bytes());
        let api = Api::start(&ca, move |heard| github.answer(heard));
        Self { api, alive, dir }
    }

    fn app(&self) -> GithubApp {
        let config = GithubAppConfig {
            app_id: "12345".to_owned(),
            installation_id: 42,
            private_key: Source::File(self.dir.path().join("key")),
            api: Endpoint::parse(&format!("{}/api/v3", self.api.base())).unwrap(),
            repositories: vec!["site".to_owned(), "docs".to_owned()],
            permissions: [("contents", "write"), ("issues", "read")]
                .map(|(name, level)| (name.to_owned(), level.to_owned()))
                .into(),
            ca: Some(self.dir.path().join("ca")),
        };
        GithubApp::new(config, Surroundings::new(|_| None))
    }

    fn alive(&self) -> usize {
        self.alive.lock().unwrap().len()
    }
}

fn private(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn ask(scope: Option<&str>, resource: Option<&str>) -> LeaseAsk {
    LeaseAsk {
        credential: "gh".to_owned(),
        lease: LeaseId::from_random([1; 10]),
        task: TaskId::from_random([1; 10]),
        at: NOW,
        ttl: Duration::from_secs(60),
        scope: scope.map(str::to_owned),
        resource: resource.map(str::to_owned),
        subject: None,
    }
}

async fn lease(app: &GithubApp, ask: &LeaseAsk) -> Result<Leased, ProviderError> {
    app.lease(ask, &app.intent(ask), NOW).await
}

#[tokio::test]
async fn a_narrowed_token_is_made_and_deleted() {
    let bed = Bed::new(json!({}));
    let app = bed.app();
    let leased = lease(&app, &ask(Some("contents:read"), Some("site"))).await.unwrap();
    let Material::Bearer(token) = &leased.material else { panic!() };
    assert_eq!(token.expose(), TOKEN);
    assert_eq!(leased.expires, Some(UnixMillis(NOW.0 + 3_600_000)));
    assert!(!serde_json::to_string(&leased.handle).unwrap().contains(TOKEN));
    let sent: Value = serde_json::from_str(&bed.api.heard()[0].body).unwrap();
    assert_eq!(sent, json!({ "repositories": ["site"], "permissions": { "contents": "read" } }));
    assert_eq!(bed.alive(), 1);
    assert_eq!(app.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(bed.alive(), 0);
    assert_eq!(app.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
    assert_eq!(bed.api.heard().len(), 2);
}

#[tokio::test]
async fn an_ask_that_names_nothing_gets_all_that_the_operator_allows_and_no_more() {
    let bed = Bed::new(json!({}));
    lease(&bed.app(), &ask(None, None)).await.unwrap();
    let sent: Value = serde_json::from_str(&bed.api.heard()[0].body).unwrap();
    let permissions = json!({ "contents": "write", "issues": "read" });
    assert_eq!(sent, json!({ "repositories": ["site", "docs"], "permissions": permissions }));
}

#[tokio::test]
async fn an_ask_beyond_the_operators_bound_reaches_nobody() {
    let bed = Bed::new(json!({}));
    for (scope, resource) in [
        (Some("issues:write"), None),
        (Some("contents:admin"), None),
        (Some("contents:everything"), None),
        (Some("administration"), None),
        (Some(""), None),
        (None, Some("secrets")),
        (None, Some("site secrets")),
        (None, Some("")),
    ] {
        let error = lease(&bed.app(), &ask(scope, resource)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Beyond { .. }), "{scope:?} {resource:?}");
    }
    assert!(bed.api.heard().is_empty());
}

#[tokio::test]
async fn a_token_that_is_wider_than_asked_is_refused_and_deleted() {
    for twist in [
        json!({ "permissions": { "contents": "write" } }),
        json!({ "permissions": { "contents": "read", "workflows": "write" } }),
        json!({ "repository_selection": "all" }),
        json!({ "repositories": [{ "name": "site" }, { "name": "secrets" }] }),
        json!({ "expires_at": "2027-01-15T11:00:00Z" }),
        json!({ "expires_at": "soon" }),
    ] {
        let bed = Bed::new(twist.clone());
        let (app, ask) = (bed.app(), ask(Some("contents:read"), Some("site")));
        let error = lease(&app, &ask).await.unwrap_err();
        assert!(matches!(error, ProviderError::Never { .. }), "{twist}: {error}");
        assert_eq!(app.revoke(&app.intent(&ask).into_handle(), NOW).await, Ok(Revoked::Gone));
        assert_eq!(bed.alive(), 0, "{twist}");
    }
}

#[tokio::test]
async fn a_token_that_github_forgot_counts_as_deleted() {
    let bed = Bed::new(json!({}));
    let app = bed.app();
    let leased = lease(&app, &ask(None, None)).await.unwrap();
    bed.alive.lock().unwrap().clear();
    assert_eq!(app.revoke(&leased.handle, NOW).await, Ok(Revoked::Gone));
}

#[tokio::test]
async fn after_a_restart_a_token_lapses_within_the_hour() {
    let bed = Bed::new(json!({}));
    let ask = ask(None, None);
    let leased = lease(&bed.app(), &ask).await.unwrap();
    let restarted = bed.app();
    let known = Revoked::Lapses(Some(UnixMillis(NOW.0 + 3_600_000)));
    assert_eq!(restarted.revoke(&leased.handle, NOW).await, Ok(known));
    let intent = Revoked::Lapses(Some(UnixMillis(NOW.0 + 3_650_000)));
    let handle = restarted.intent(&ask).into_handle();
    assert_eq!(restarted.revoke(&handle, NOW).await, Ok(intent));
}

#[tokio::test]
async fn a_strange_key_is_refused_here_or_there() {
    let bed = Bed::new(json!({}));
    private(&bed.dir.path().join("key"), b"no key at all");
    let error = lease(&bed.app(), &ask(None, None)).await.unwrap_err();
    assert!(error.to_string().contains("no RSA key"), "{error}");
    assert!(bed.api.heard().is_empty());
}

#[tokio::test]
async fn an_exhausted_quota_says_when_to_come_back() {
    let ca = TestCa::new();
    let bed = Bed::new(json!({}));
    private(&bed.dir.path().join("ca"), ca.pem().as_bytes());
    let api = Api::start(&ca, |_| Answer {
        headers: vec![
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", (NOW.0 / 1000 + 90).to_string()),
        ],
        ..Answer::empty(403)
    });
    let mut app = bed.app();
    app.config.api = Endpoint::parse(&api.base()).unwrap();
    let error = lease(&app, &ask(None, None)).await.unwrap_err();
    let ProviderError::Later { after, .. } = error else { panic!("{error}") };
    assert_eq!(after, Some(Duration::from_secs(90)));
}
