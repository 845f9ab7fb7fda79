//! A resource server that asks the daemon.

use super::*;
use crate::checker::{self, Broker, Refused};
use crate::token::Rejection;
use crate::token::dpop::{NONCE_STEP, Nonces, ProofRejection};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zeroize::Zeroizing;

const URL: &str = "https://api.test/things";

fn settings(rig: &Rig, broker: Broker) -> checker::Settings {
    checker::Settings {
        broker,
        ca: None,
        issuer: ISSUER.to_owned(),
        audience: API.to_owned(),
        secret: Zeroizing::new(SECRET.to_owned()),
        clock: rig.clock.clone(),
        nonces: None,
    }
}

fn checker_of(rig: &Rig, broker: Broker) -> checker::Checker {
    checker::Checker::new(settings(rig, broker)).unwrap()
}

/// A checker over TCP that hears what ends.
pub(super) async fn listening(rig: &Rig) -> checker::Checker {
    let checker = checker_of(rig, Broker::Url(format!("http://{}", rig.tcp)));
    fresh(&checker).await;
    checker
}

async fn fresh(checker: &checker::Checker) {
    for _ in 0..300 {
        if checker.is_fresh() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never heard anything");
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in all.iter().map(header) {
        headers.append(name, value);
    }
    headers
}

fn bearer(token: &AccessToken) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {}", token.expose()))])
}

#[tokio::test]
async fn a_bound_token_is_accepted_with_a_proof_for_the_request_and_once() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let checker = listening(&rig).await;
    let (prover, thief) = (Prover::generate().unwrap(), Prover::generate().unwrap());
    let token = rig.token(1, API, Some(&prover)).await;
    let authorization = format!("DPoP {}", token.expose());
    let with = |proof: &str| headers(&[("authorization", &authorization), ("dpop", proof)]);
    let check = |headers: HeaderMap| {
        let checker = &checker;
        async move { checker.check(&Method::POST, URL, &headers).await.map(|claims| claims.jti.clone()) }
    };
    let good = proof(&prover, URL, &token, NOW, "1");
    check(with(&good)).await.unwrap();
    let proofs = |rejection| Err(Refused::Proof { rejection, nonce: None });
    assert_eq!(check(with(&good)).await, proofs(ProofRejection::Replayed));
    let elsewhere = proof(&prover, "https://api.test/others", &token, NOW, "2");
    assert_eq!(check(with(&elsewhere)).await, proofs(ProofRejection::Request));
    let stolen = proof(&thief, URL, &token, NOW, "3");
    assert_eq!(check(with(&stolen)).await, Err(Rejection::Binding.into()));
    let none = headers(&[("authorization", &authorization)]);
    assert_eq!(check(none).await, Err(Refused::NoProof));
    let two = proof(&prover, URL, &token, NOW, "4");
    let two = headers(&[("authorization", &authorization), ("dpop", &two), ("dpop", &two)]);
    assert_eq!(check(two).await, Err(Refused::NoProof));
    let lowered = format!("Bearer {}", token.expose());
    let lowered = headers(&[("authorization", &lowered)]);
    assert_eq!(check(lowered).await, Err(Rejection::Binding.into()), "bound, sent as bearer");
}

#[tokio::test]
async fn what_is_refused_says_why_and_nothing_of_what_was_sent() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let checker = listening(&rig).await;
    let token = rig.token(1, API, None).await;
    let foreign = rig.token(1, "https://other.test", None).await;
    checker.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
    let refused = async |headers: HeaderMap| {
        let refused = checker.check(&Method::GET, URL, &headers).await.unwrap_err();
        let challenge = refused.headers().get("www-authenticate").cloned();
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        assert!(!format!("{refused:?} {challenge:?}").contains(&token.expose()[..20]));
        (refused.status().as_u16(), challenge.unwrap_or_default())
    };
    let (status, challenge) = refused(HeaderMap::new()).await;
    assert_eq!((status, challenge.as_str()), (401, "DPoP algs=\"ES256\""));
    let (status, challenge) = refused(bearer(&foreign)).await;
    assert!(status == 401 && challenge.contains("error=\"invalid_token\""), "{challenge}");
    let twice = format!("Bearer {}", token.expose());
    let (status, _) =
        refused(headers(&[("authorization", &twice), ("authorization", &twice)])).await;
    assert_eq!(status, 400);
    for nonsense in ["Bearer x", "Bearer", "Basic abc", "", "Bearer a.b.c"] {
        assert_eq!(refused(headers(&[("authorization", nonsense)])).await.0, 401, "{nonsense}");
    }
    let (url, none) = (format!("{URL}?access_token={}", token.expose()), HeaderMap::new());
    let refused = checker.check(&Method::GET, &url, &none).await.unwrap_err();
    assert_eq!(refused, Refused::NoToken);
}

#[tokio::test]
async fn a_kill_takes_effect_here_before_it_returns_there() {
    let rig = Rig::new().await;
    let checker = listening(&rig).await;
    for n in 1..20 {
        let _watch = rig.task(n).await;
        rig.other.note_ended(call_ended(n)).await;
        let token = rig.token(n, API, None).await;
        fresh(&checker).await;
        checker.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
        let got = rig.post_locally("/v1/kill", "", &format!("{{\"task\":\"{}\"}}", task(n))).await;
        let refused = checker.check(&Method::GET, URL, &bearer(&token)).await.unwrap_err();
        assert_eq!(refused, Refused::Inactive, "{n}");
        let receipt = got.json();
        assert_eq!(receipt["checkers"][0]["outcome"], "acked", "{receipt}");
        assert!(receipt["micros"].as_u64().unwrap() < 1_000_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_that_begins_after_a_kill_has_returned_is_passed() {
    let rig = Arc::new(Rig::new().await);
    let checker = Arc::new(listening(&rig).await);
    for n in 1..40 {
        let _watch = rig.task(n).await;
        rig.other.note_ended(call_ended(n)).await;
        let token = Arc::new(rig.token(n, API, None).await);
        let killed = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(AtomicUsize::new(0));
        let checking = (0..3).map(|_| {
            let (checker, token) = (checker.clone(), token.clone());
            let (killed, passed) = (killed.clone(), passed.clone());
            tokio::spawn(async move {
                let mut refused = 0;
                while refused < 3 {
                    let late = killed.load(Ordering::SeqCst);
                    match checker.check(&Method::GET, URL, &bearer(&token)).await {
                        Ok(_) => {
                            assert!(!late, "it was passed after the kill had returned");
                            passed.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(_) => refused += 1,
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let checking: Vec<_> = checking.collect();
        // The honest control: before the kill it was a good token.
        while passed.load(Ordering::SeqCst) <= usize::from(n % 8) {
            tokio::task::yield_now().await;
        }
        let body = format!("{{\"task\":\"{}\"}}", task(n));
        assert_eq!(rig.post_locally("/v1/kill", "", &body).await.status, 200);
        killed.store(true, Ordering::SeqCst);
        for checking in checking {
            checking.await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_is_remembered_for_no_longer_than_the_lease() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let mut rig = rig;
    let checker = listening(&rig).await;
    let token = rig.token(1, API, None).await;
    let check = async || checker.check(&Method::GET, URL, &bearer(&token)).await.map(drop);
    check().await.unwrap();
    rig.stop().await;
    // The stream has ended with the daemon, and with it everything that was believed.
    for _ in 0..100 {
        if check().await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(check().await, Err(Refused::Unavailable));
    let refused = Refused::Unavailable;
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.headers().get("www-authenticate").is_none());
}

#[tokio::test]
async fn a_checker_whose_time_went_on_without_it_asks_again() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let checker = listening(&rig).await;
    let token = rig.token(1, API, None).await;
    checker.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
    // As after a suspend: the clock has gone on, and nothing was heard meanwhile.
    rig.clock.advance(Duration::from_millis(2_000));
    assert!(!checker.is_fresh());
    rig.clock.set(UnixMillis(NOW.0 - 100));
    assert!(!checker.is_fresh(), "nor does it believe a clock that stepped back");
}

#[tokio::test]
async fn without_a_broker_nothing_is_accepted_and_with_one_again() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let nowhere = checker_of(&rig, Broker::Unix(rig.dir.path().join("nothing.sock")));
    let refused = nowhere.check(&Method::GET, URL, &bearer(&token)).await.unwrap_err();
    assert_eq!(refused, Refused::Unavailable);
    let here = checker_of(&rig, Broker::Unix(rig.socket.clone()));
    here.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
    let wrong = checker::Checker::new(checker::Settings {
        secret: Zeroizing::new("not the secret".to_owned()),
        ..settings(&rig, Broker::Unix(rig.socket.clone()))
    })
    .unwrap();
    let refused = wrong.check(&Method::GET, URL, &bearer(&token)).await.unwrap_err();
    assert_eq!(refused, Refused::Unavailable);
}

#[tokio::test]
async fn what_a_removed_key_signed_is_refused_here_too() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let checker = listening(&rig).await;
    let token = rig.token(1, API, None).await;
    checker.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
    let ring = rig.other.keys(Purpose::Access).await.unwrap();
    let kid = ring.current().unwrap().jwk.thumbprint();
    rig.other.remove_key(&rig.issuer.files, Purpose::Access, kid).await.unwrap();
    for _ in 0..200 {
        if checker.check(&Method::GET, URL, &bearer(&token)).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still accepted");
}

#[tokio::test]
async fn a_checker_speaks_tls_with_the_authority_that_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = tls::write(dir.path(), &made);
    let rig = Rig::on(Arc::new(MemoryLedger::new()), Some(files.clone())).await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let checker = |ca: Option<PathBuf>| {
        checker::Checker::new(checker::Settings {
            ca,
            ..settings(&rig, Broker::Url(format!("https://{}", rig.tcp)))
        })
        .unwrap()
    };
    let told = checker(Some(files.certificates.clone()));
    told.check(&Method::GET, URL, &bearer(&token)).await.unwrap();
    fresh(&told).await;
    let refused = checker(None).check(&Method::GET, URL, &bearer(&token)).await.unwrap_err();
    assert_eq!(refused, Refused::Unavailable);
}

#[tokio::test]
async fn a_proof_without_the_nonce_is_refused_with_the_nonce_for_the_next() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let nonces = Nonces::new(&Zeroizing::new([7; 32]), NONCE_STEP);
    let checker = checker::Checker::new(checker::Settings {
        nonces: Some(nonces),
        ..settings(&rig, Broker::Unix(rig.socket.clone()))
    })
    .unwrap();
    let prover = Prover::generate().unwrap();
    let token = rig.token(1, API, Some(&prover)).await;
    let authorization = format!("DPoP {}", token.expose());
    let prove = |nonce: Option<&str>, jti: &str| {
        let target = Target::parse(URL).unwrap();
        let ask = ProofAsk { method: "POST", target: &target, token: Some(&token), nonce };
        let proof = prover.prove(&ask, jti, NOW).unwrap();
        headers(&[("authorization", &authorization), ("dpop", proof.expose())])
    };
    let refused = checker.check(&Method::POST, URL, &prove(None, "1")).await.unwrap_err();
    let answer = refused.headers();
    let challenge = answer["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
    let nonce = answer["dpop-nonce"].to_str().unwrap();
    checker.check(&Method::POST, URL, &prove(Some(nonce), "2")).await.unwrap();
}

#[test]
fn a_broker_elsewhere_is_spoken_to_under_tls_only() {
    for url in
        ["http://writ.test", "http://10.0.0.1:80", "ftp://x", "https://a.test/x", "https://", ""]
    {
        let made = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _in = made.enter();
        let settings = checker::Settings {
            broker: Broker::Url(url.to_owned()),
            ca: None,
            issuer: ISSUER.to_owned(),
            audience: API.to_owned(),
            secret: Zeroizing::new(SECRET.to_owned()),
            clock: Arc::new(ManualClock::new(NOW)),
            nonces: None,
        };
        assert!(checker::Checker::new(settings).is_err(), "{url}");
    }
}
