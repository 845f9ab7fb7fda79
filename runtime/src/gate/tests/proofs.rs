//! Servers that want their own nonce in a proof of possession (RFC 9449 §8 and §9).

use super::bed::{Bed, Honest, Worker, carrying, request, with_body};
use http::Method;
use writ_broker::Grant;
use writ_test_support::NONCE;

async fn prover(bed: &Bed, honest: &Honest) -> Worker {
    let worker = bed.task(carrying(Grant::default(), honest.rule(), "api", "dpop")).await;
    worker.has("api", "dpop", "token-bound-to-a-key");
    worker
}

fn nonces(worker: &Worker) -> Vec<Option<String>> {
    let asks = worker.records.asks.lock().unwrap();
    asks.iter().map(|ask| ask.nonce.as_ref().map(ToString::to_string)).collect()
}

#[tokio::test]
async fn a_wanted_nonce_is_used_at_once_and_remembered() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = prover(&bed, &honest).await;

    let answer = worker.get(&honest.url("/nonce")).await;
    assert_eq!((answer.status, answer.text()), (200, "proved"));
    assert_eq!(worker.get(&honest.url("/nonce")).await.text(), "proved");

    let wanted = Some(NONCE.to_owned());
    assert_eq!(nonces(&worker), [None, wanted.clone(), wanted]);
    assert_eq!(honest.server.seen().len(), 3);
    assert_eq!(worker.codes(), ["ok", "ok"], "one decision, one record");
}

#[tokio::test]
async fn a_server_that_is_never_content_is_asked_twice() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = prover(&bed, &honest).await;
    let answer = worker.get(&honest.url("/never-right")).await;
    assert_eq!((answer.status, answer.text()), (401, "again"));
    assert_eq!(answer.headers.get("dpop-nonce"), None);
    assert!(answer.headers.contains_key("www-authenticate"));
    assert_eq!(honest.server.seen().len(), 2);
    worker.get(&honest.url("/never-right")).await;
    assert_eq!(honest.server.seen().len(), 3, "what was refused once is not tried again");
}

#[tokio::test]
async fn a_request_whose_body_is_gone_is_not_sent_again() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = prover(&bed, &honest).await;
    let post = || with_body(request(Method::POST, &honest.url("/nonce")), "body");
    assert_eq!(worker.send(post()).await.status, 401);
    assert_eq!(honest.server.seen().len(), 1);
    assert_eq!(worker.send(post()).await.text(), "proved", "the nonce was remembered");
}

#[tokio::test]
async fn a_bearer_token_has_no_proof_and_no_second_try() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(carrying(Grant::default(), honest.rule(), "api", "bearer")).await;
    worker.has("api", "bearer", "token-without-a-key");
    assert_eq!(worker.get(&honest.url("/nonce")).await.status, 401);
    assert_eq!(honest.server.seen().len(), 1);
}

#[tokio::test]
async fn a_nonce_is_not_taken_to_another_origin_or_task() {
    let bed = Bed::new();
    let (honest, other) = (Honest::new(&bed), writ_test_support::HttpServer::start());
    bed.dns.answer("other.test", &["127.0.0.1"]);
    let elsewhere = super::bed::rule(writ_broker::ask::Scheme::Http, "other.test", other.port());
    let mut grant = carrying(Grant::default(), honest.rule(), "api", "dpop");
    let credential = grant.http[0].credential.clone();
    grant.http.push(writ_broker::grant::HttpRule { credential, ..elsewhere });
    let mut worker = bed.task(grant).await;
    worker.has("api", "dpop", "token-bound-to-a-key");

    worker.get(&honest.url("/nonce")).await;
    worker.get(&format!("http://other.test:{}/hello", other.port())).await;

    assert_eq!(nonces(&worker)[2], None);
    let mut stranger = prover(&bed, &honest).await;
    stranger.get(&honest.url("/hello")).await;
    assert_eq!(nonces(&stranger), [None]);
}
