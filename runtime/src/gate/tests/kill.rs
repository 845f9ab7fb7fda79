//! Closing a link: everything of the task ends, nothing of another task does.

use super::bed::{Bed, Honest, eventually, http_grant, request};
use http::Method;
use http_body_util::BodyExt;
use writ_broker::ask::Scheme;
use writ_test_support::{RawServer, Then};

#[tokio::test]
async fn closing_ends_what_is_under_way_and_what_waits() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let hold = RawServer::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", Then::Hold);
    bed.dns.answer("hold.test", &["127.0.0.1"]);
    let mut grant = honest.grant();
    grant.http.push(super::bed::rule(Scheme::Http, "hold.test", hold.address().port()));
    let mut worker = bed.task(grant).await;
    let mut other = bed.task(honest.grant()).await;

    honest.still_works(&mut worker).await;
    honest.still_works(&mut other).await;
    let url = format!("http://hold.test:{}/", hold.address().port());
    let mut half = worker.start(request(Method::GET, &url)).await;
    assert_eq!(half.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    worker.link.closed().await;

    eventually("the upstream saw its connection end", || hold.ended() == 1).await;
    assert!(
        half.body_mut().frame().await.unwrap().is_err(),
        "the guest does not take it for whole"
    );
    assert!(worker.try_start(request(Method::GET, &honest.url("/hello"))).await.is_err());
    honest.still_works(&mut other).await;
}

#[tokio::test]
async fn closing_ends_a_request_that_is_not_answered_yet() {
    let bed = Bed::new();
    let silent = RawServer::start("", Then::Hold);
    bed.dns.answer("silent.test", &["127.0.0.1"]);
    let port = silent.address().port();
    let mut worker = bed.task(http_grant(&[(Scheme::Http, "silent.test", port)])).await;

    let mut client = worker.client.clone();
    let asked = request(Method::GET, &format!("http://silent.test:{port}/"));
    let waiting = tokio::spawn(async move { client.send_request(asked).await.map(drop) });
    eventually("the request arrived", || !silent.received().is_empty()).await;
    worker.link.close();
    worker.link.closed().await;

    assert!(waiting.await.unwrap().is_err());
    eventually("the upstream saw its connection end", || silent.ended() == 1).await;
    assert!(worker.try_start(request(Method::GET, "http://silent.test/")).await.is_err());
}

#[tokio::test]
async fn dropping_the_link_closes_it() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    honest.still_works(&mut worker).await;

    let super::bed::Worker { link, mut client, .. } = worker;
    drop(link);
    let sent = async {
        client.ready().await?;
        client.send_request(request(Method::GET, &honest.url("/hello"))).await
    };
    assert!(sent.await.is_err());
}

#[tokio::test]
async fn a_guest_that_gives_up_takes_the_upstream_with_it() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let silent = RawServer::start("", Then::Hold);
    bed.dns.answer("silent.test", &["127.0.0.1"]);
    let mut grant = honest.grant();
    grant.http.push(super::bed::rule(Scheme::Http, "silent.test", silent.address().port()));
    let mut worker = bed.task(grant).await;

    let mut client = worker.client.clone();
    let asked = request(Method::GET, &format!("http://silent.test:{}/", silent.address().port()));
    let waiting = tokio::spawn(async move { client.send_request(asked).await.map(drop) });
    eventually("the request arrived", || !silent.received().is_empty()).await;
    waiting.abort();

    eventually("the upstream saw its connection end", || silent.ended() == 1).await;
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_waiting_connection_of_one_task_is_not_used_by_another() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut first = bed.task(honest.grant()).await;
    let mut second = bed.task(honest.grant()).await;

    honest.still_works(&mut first).await;
    honest.still_works(&mut second).await;
    honest.still_works(&mut first).await;

    let connections: Vec<usize> = honest.server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 0]);
}
