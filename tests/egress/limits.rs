//! The bounds of egress: each ends the task and is named.

use super::{Bed, send};
use crate::verdict::Verdict;
use writ_test_support::{RawServer, Then};

fn limited(bed: &Bed, limit: &str, words: &[&str]) -> Verdict {
    send(bed.open().args(&["--limit", limit]), words)
}

#[test]
fn requests_are_counted_whether_allowed_or_not() {
    let bed = Bed::new();
    let (hello, elsewhere) = (bed.url("/hello"), "http://elsewhere.test/");
    let verdict = limited(&bed, "http_requests=2", &[&hello, "--times", "3"]);
    verdict.denied(&[]).over("http_requests");
    assert_eq!(bed.server.seen().len(), 2);
    limited(&bed, "http_requests=3", &[&hello, "--times", "3"]).worked("status 200");
    let verdict = limited(&bed, "http_requests=1", &[elsewhere]);
    verdict.denied(&[("D0101", &format!("GET {elsewhere}"))]).failed("error ");
    bed.still_works();
}

#[test]
fn a_download_beyond_bytes_in_ends_the_task() {
    let bed = Bed::new();
    let url = bed.url("/big/10000000");
    let verdict = limited(&bed, "bytes_in=1MiB", &[&url]);
    verdict.denied(&[]).over("bytes_in");
    assert!(verdict.report["usage"]["bytes_in"].as_u64().unwrap() <= 1 << 20);
    let twice = bed.url("/big/600000");
    limited(&bed, "bytes_in=1MiB", &[&twice, "--times", "2"]).over("bytes_in");
    limited(&bed, "bytes_in=1MiB", &[&twice]).worked("body 600000 bytes");
}

#[test]
fn an_upload_beyond_bytes_out_ends_the_task() {
    let bed = Bed::new();
    let url = bed.url("/count");
    let words = [&*url, "--method", "POST", "--body-bytes", "1000000"];
    let verdict = limited(&bed, "bytes_out=100000", &words);
    verdict.denied(&[]).over("bytes_out");
    assert!(verdict.report["usage"]["bytes_out"].as_u64().unwrap() <= 100_000);
    limited(&bed, "bytes_out=2MiB", &words).worked("status 200");
}

#[test]
fn header_fields_beyond_header_bytes_end_the_task() {
    let bed = Bed::new();
    let (url, huge) = (bed.url("/hello"), format!("x-huge:{}", "x".repeat(8000)));
    limited(&bed, "header_bytes=4KiB", &[&url, "-H", &huge]).denied(&[]).over("header_bytes");
    assert!(bed.server.seen().is_empty());
    limited(&bed, "header_bytes=16KiB", &[&url, "-H", &huge]).worked("status 200");

    bed.dns.answer("huge.test", &["127.0.0.1"]);
    let responses = [
        (format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\n\r\n", "x".repeat(64 << 10)), Then::Close),
        ("HTTP/1.1 200 OK\r\n".to_owned(), Then::Repeat(b"x-endless: 1\r\n".to_vec())),
    ];
    for (response, then) in responses {
        let server = RawServer::start(response, then);
        let url = format!("http://huge.test:{}/", server.address().port());
        let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
        send(run, &[&url]).denied(&[]).over("header_bytes");
    }
    bed.still_works();
}

#[test]
fn an_upstream_that_never_answers_ends_the_task_in_time() {
    let bed = Bed::new();
    for path in ["/never", "/stall"] {
        let url = bed.url(path);
        let verdict = limited(&bed, "http_time=300ms", &[&url]);
        verdict.denied(&[]).over("http_time");
        assert!(verdict.report["usage"]["wall_ms"].as_u64().unwrap() < 10_000);
        assert_eq!(verdict.allowed(), [bed.get(path)]);
    }
    bed.still_works();
}

#[test]
fn an_upstream_that_drips_its_answer_ends_the_task_in_time() {
    let bed = Bed::new();
    let slow = RawServer::start("HTTP/1.1 200 OK\r\nx-slow: ", Then::Hold);
    bed.dns.answer("slow.test", &["127.0.0.1"]);
    let url = format!("http://slow.test:{}/", slow.address().port());
    let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
    send(run.args(&["--limit", "http_time=300ms"]), &[&url]).denied(&[]).over("http_time");
    bed.still_works();
}

/// Zero, none and a day all mean the grant's time; less is the guest's own business.
#[test]
fn the_guests_own_timeouts_only_shorten() {
    let bed = Bed::new();
    let url = bed.url("/never");
    for wish in ["0", "86400000", "18446744073709"] {
        let verdict = limited(&bed, "http_time=300ms", &[&url, "--timeout-ms", wish]);
        verdict.denied(&[]).over("http_time");
    }
    let verdict = limited(&bed, "http_time=10s", &[&url, "--timeout-ms", "50"]);
    verdict.denied(&[]).failed("error connection-read-timeout");
    assert!(verdict.report["usage"]["wall_ms"].as_u64().unwrap() < 5_000);
    bed.still_works();
}
