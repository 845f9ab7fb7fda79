//! The time between two calls of a task.

use super::bed::{Answer, Bed, Honest, request};
use http::Method;

#[tokio::test]
async fn while_no_call_runs_nothing_leaves() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    worker.link.pause();
    let answer = worker.get(&honest.url("/hello")).await;
    assert_eq!(answer.code(), Some("D0402"), "{answer:?}");
    assert_eq!(answer.gate_error(), Some("HTTP-request-denied"));
    let tunnel = worker.send(request(Method::CONNECT, "honest.test:80")).await;
    assert_eq!(tunnel.code(), Some("D0402"), "{tunnel:?}");
    assert_eq!(worker.codes(), ["D0402"; 2]);
    assert!(bed.dns.queries().is_empty() && honest.server.seen().is_empty());
    worker.link.resume();
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn what_is_under_way_when_the_call_ends_breaks_off() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    let response = worker.start(request(Method::GET, &honest.url("/big/20000000"))).await;
    worker.link.pause();
    let had = worker.link.usage().bytes_in;
    let answer = Answer::read(response).await;
    assert!(answer.broken.is_some() && answer.body.len() < 20_000_000, "{}", answer.body.len());
    assert_eq!(worker.link.usage().bytes_in, had);
    worker.link.resume();
    honest.still_works(&mut worker).await;
}
