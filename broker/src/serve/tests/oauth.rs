//! What resource servers are told.

use super::*;
use crate::authority::RunEnd;
use crate::authority::{Kill, kill};
use crate::event::TaskEnd;
use crate::keys::KeySet;
use crate::state::Selector;
use crate::token::{Audience, Expectations, Holder, Verifier};

#[tokio::test]
async fn the_metadata_names_what_is_there() {
    let rig = Rig::new().await;
    let oauth = rig.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(oauth.header("content-type"), Some("application/json"));
    let metadata = oauth.json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["jwks_uri"], "https://writ.test/jwks");
    assert_eq!(metadata["introspection_endpoint"], "https://writ.test/introspect");
    assert_eq!(metadata["revocation_endpoint"], "https://writ.test/revoke");
    assert_eq!(metadata["dpop_signing_alg_values_supported"], serde_json::json!(["ES256"]));
    let openid = rig.get("/.well-known/openid-configuration").await.json();
    for (name, value) in metadata.as_object().unwrap() {
        assert_eq!(openid[name], *value, "{name}");
    }
    for endpoint in ["jwks_uri", "introspection_endpoint", "revocation_endpoint"] {
        let path = metadata[endpoint].as_str().unwrap().strip_prefix(ISSUER).unwrap();
        assert_ne!(rig.get(path).await.status, 404, "{endpoint}");
    }
}

#[tokio::test]
async fn the_key_set_checks_tokens_and_may_not_be_kept_longer_than_keys_are_published_ahead() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let got = rig.get("/jwks").await;
    let age = got.header("cache-control").unwrap().rsplit_once('=').unwrap().1;
    assert!(age.parse::<u64>().unwrap() <= crate::keys::PUBLISH_AHEAD.as_secs());
    let verifier = Verifier::new(KeySet::parse(got.body.as_bytes()).unwrap());
    let expected =
        Expectations { issuer: ISSUER, audience: Audience::Is(API), holder: Holder::Bearer };
    verifier.verify(token.expose(), &expected, NOW).unwrap();
    rig.other.rotate_keys(&rig.issuer.files, Purpose::Access).await.unwrap();
    assert_eq!(rig.get("/jwks").await.json()["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_published_before_it_is_first_needed() {
    let rig = Rig::new().await;
    for _ in 0..100 {
        if rig.get("/jwks").await.json()["keys"].as_array().unwrap().len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no key was published");
}

#[tokio::test]
async fn a_good_token_is_active_with_everything_that_it_says() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let prover = Prover::generate().unwrap();
    let token = rig.token(1, API, Some(&prover)).await;
    let got = rig.introspect(token.expose()).await;
    assert_eq!((got.status, got.header("cache-control")), (200, Some("no-store")), "{got:?}");
    let said = got.json();
    assert_eq!(said["active"], true);
    assert_eq!(said["token_type"], "DPoP");
    assert_eq!((&said["iss"], &said["aud"]), (&ISSUER.into(), &API.into()));
    assert_eq!(said["sub"], "user:1000");
    assert_eq!(said["exp"].as_u64().unwrap(), NOW.0 / 1000 + 60);
    assert_eq!(said["cnf"]["jkt"], prover.thumbprint().to_string());
    assert_eq!(said["txn"], task(1).to_string());
    assert_eq!(said["task"]["id"], task(1).to_string());
    assert_eq!(said["scope"], "read");
    // The same by the other ways in.
    let bearer = format!("authorization: Bearer {SECRET}\r\n");
    let body = format!("token={}&token_type_hint=access_token", token.expose());
    assert_eq!(rig.tcp_form("/introspect", &bearer, &body).await.json(), said);
    assert_eq!(rig.unix_form("/introspect", "", &body).await.json(), said);
}

#[tokio::test]
async fn a_token_is_inactive_the_moment_another_process_has_killed_its_task() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let _other = rig.task(2).await;
    let (token, honest) = (rig.token(1, API, None).await, rig.token(2, API, None).await);
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
    rig.other.note_ended(call_ended(1)).await;
    let killed = Kill { selector: Selector::Task(task(1)), by: Owner::User { uid: 0 }, why: None };
    kill(rig.ledger.clone(), rig.clock.clone(), killed).await.unwrap();
    assert!(rig.introspect(token.expose()).await.is_inactive());
    assert_eq!(rig.introspect(honest.expose()).await.json()["active"], true);
}

#[tokio::test]
async fn tokens_that_are_over_revoked_or_of_an_ended_task_are_inactive() {
    let rig = Rig::new().await;
    let (_one, _two, _three) = (rig.task(1).await, rig.task(2).await, rig.task(3).await);
    let (ended, revoked) = (rig.token(1, API, None).await, rig.token(2, API, None).await);
    let late = rig.token(3, API, None).await;
    let end = RunEnd {
        notes: Vec::new(),
        call: call_ended(1),
        task: Some((task(1), TaskEnd::Done)),
        leases: Vec::new(),
    };
    rig.other.end_run(HostId::from_random([1; RANDOM_BYTES]), end).await.unwrap();
    assert!(rig.introspect(ended.expose()).await.is_inactive());
    let body = format!("token={}", revoked.expose());
    assert_eq!(rig.tcp_form("/revoke", "", &body).await.status, 200);
    assert!(rig.introspect(revoked.expose()).await.is_inactive());
    assert_eq!(rig.introspect(late.expose()).await.json()["active"], true);
    rig.clock.advance(Duration::from_secs(60));
    assert!(rig.introspect(late.expose()).await.is_inactive(), "no leeway here");
}

#[tokio::test]
async fn what_a_removed_key_signed_is_inactive_at_once() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
    let ring = rig.other.keys(Purpose::Access).await.unwrap();
    let kid = ring.current().unwrap().jwk.thumbprint();
    rig.other.remove_key(&rig.issuer.files, Purpose::Access, kid).await.unwrap();
    assert!(rig.introspect(token.expose()).await.is_inactive());
}

#[tokio::test]
async fn a_token_that_was_signed_but_never_recorded_is_inactive() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let signer = rig.other.signer(&rig.issuer.files, Purpose::Access).await.unwrap();
    let lifetime = Lifetime::new(NOW, Duration::from_secs(60), UnixMillis(u64::MAX)).unwrap();
    let token = Minter::new(signer).sign(&claims(1, API, "stray", lifetime, None)).unwrap();
    assert!(rig.introspect(token.expose()).await.is_inactive());
}

#[tokio::test]
async fn a_checker_learns_nothing_of_tokens_for_others() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, "https://other.test", None).await;
    assert!(rig.introspect(token.expose()).await.is_inactive());
    let body = format!("token={}", token.expose());
    let other = Rig::basic("other", OTHER_SECRET);
    assert_eq!(rig.tcp_form("/introspect", &other, &body).await.json()["active"], true);
    assert_eq!(
        rig.introspect(token.expose()).await.body,
        rig.introspect("nonsense").await.body,
        "the same answer as for what never was"
    );
}

#[tokio::test]
async fn a_bound_token_is_given_up_by_who_has_its_key_and_nobody_else() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let (prover, thief) = (Prover::generate().unwrap(), Prover::generate().unwrap());
    let token = rig.token(1, API, Some(&prover)).await;
    let body = format!("token={}", token.expose());
    let url = "https://writ.test/revoke";
    let by = |prover: &Prover, url: &str, jti: &str| {
        format!("dpop: {}\r\n", proof(prover, url, &token, NOW, jti))
    };
    // Who was sent the token, who found it, and who has another key: nothing to see, nothing done.
    for headers in [String::new(), Rig::basic("api", SECRET), by(&thief, url, "1")] {
        let got = rig.tcp_form("/revoke", &headers, &body).await;
        assert_eq!((got.status, got.body.as_str()), (200, "{}"));
        assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
    }
    let elsewhere = by(&prover, "https://writ.test/introspect", "2");
    let got = rig.tcp_form("/revoke", &elsewhere, &body).await;
    assert_eq!((got.status, &got.json()["error"]), (400, &"invalid_dpop_proof".into()));
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
    let own = by(&prover, url, "3");
    assert_eq!(rig.tcp_form("/revoke", &own, &body).await.status, 200);
    assert!(rig.introspect(token.expose()).await.is_inactive());
    let again = rig.tcp_form("/revoke", &own, &body).await;
    assert_eq!(again.json()["error"], "invalid_dpop_proof", "a proof is good once");
    let revoked = |word: &&String| word.as_str() == "token.revoked";
    assert_eq!(rig.story().iter().filter(revoked).count(), 1);
}

#[tokio::test]
async fn a_checker_revokes_nothing_that_is_for_others() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let body = format!("token={}", token.expose());
    let got = rig.tcp_form("/revoke", &Rig::basic("other", OTHER_SECRET), &body).await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
}

#[tokio::test]
async fn a_process_of_this_machine_revokes_any_token_in_its_own_name() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let prover = Prover::generate().unwrap();
    let token = rig.token(1, API, Some(&prover)).await;
    let body = format!("token={}", token.expose());
    assert_eq!(rig.unix_form("/revoke", "", &body).await.status, 200);
    assert!(rig.introspect(token.expose()).await.is_inactive());
    let last = rig.ledger.read(1, usize::MAX).unwrap().pop().unwrap().decode().unwrap();
    let uid = rustix::process::geteuid().as_raw();
    assert!(matches!(last, Event::TokenRevoked { by: Owner::User { uid: who }, .. } if who == uid));
}
