//! Methods, paths, ports and protocols.

use super::{Bed, send};
use crate::harness::Writ;
use writ_test_support::{RawServer, Then};

/// A run that may only GET `/hello`, and only there.
fn narrow(bed: &Bed) -> Writ {
    bed.with(&[&format!("GET {}", bed.url("/hello"))]).args(&["--dangerous-loopback"])
}

#[test]
fn only_the_granted_method_path_and_port_are_used() {
    let bed = Bed::new();
    let (hello, echo) = (bed.url("/hello"), bed.url("/echo"));
    let attempts: [(&[&str], &str, String); 6] = [
        (&[&hello, "--method", "POST"], "D0103", format!("POST {hello}")),
        (&[&hello, "--method", "DELETE"], "D0103", format!("DELETE {hello}")),
        (&[&hello, "--method", "get"], "D0103", format!("get {hello}")),
        (&[&echo], "D0104", format!("GET {echo}")),
        (&["http://honest.test:1/hello"], "D0107", "GET http://honest.test:1/hello".into()),
        (&["http://honest.test/hello"], "D0107", "GET http://honest.test/hello".into()),
    ];
    for (words, code, target) in attempts {
        send(narrow(&bed), words).denied(&[(code, &target)]).failed("error HTTP-request-denied");
    }
    let secure = hello.replace("http:", "https:");
    send(narrow(&bed), &[&secure]).denied(&[("D0107", &format!("GET {secure}"))]).failed("error ");
    assert_eq!(bed.dns.queries(), []);
    send(narrow(&bed), &[&hello]).worked("status 200");
    send(narrow(&bed), &[&bed.url("/hello?q=1")]).worked("status 200");
}

#[test]
fn paths_that_servers_read_differently_are_refused() {
    let bed = Bed::new();
    let paths = [
        "/hello/../echo",
        "/hello/%2e%2e/echo",
        "/hello/.%2E/echo",
        "//echo",
        "/hello//echo",
        "/hello%2Fecho",
        "/hello%5cecho",
        "/hello/./echo",
        "/hello%00",
    ];
    for path in paths {
        let (url, target) = (bed.url(path), bed.get(path));
        let verdict = send(narrow(&bed), &[&url]);
        verdict.denied(&[("D0105", &target)]).failed("error HTTP-request-URI-invalid");
    }
    assert_eq!(bed.dns.queries(), []);
    assert!(bed.server.seen().is_empty());
    send(narrow(&bed), &[&bed.url("/hello")]).worked("status 200");
}

#[test]
fn a_request_does_not_become_another_protocol() {
    let bed = Bed::new();
    let url = bed.url("/hello");
    let port = bed.server.port();
    let connect = bed.ask(&[&url, "--method", "CONNECT"]);
    connect.failed("error HTTP-request-denied");
    assert_eq!(connect.denials()[0].0, "D0108", "{connect:#?}");
    connect.denied(&[("D0108", connect.denials()[0].1)]);
    assert!(connect.denials()[0].1.contains(&format!("honest.test:{port}")), "{connect:#?}");
    bed.stopped(&[&url, "-H", "upgrade:h2c"], "D0106", "header upgrade");
    bed.stopped(&[&url, "-H", "http2-settings:AAMAAABk"], "D0106", "header http2-settings");
    bed.stopped(&[&url, "--scheme", "ftp"], "D0107", "scheme ftp");
    bed.stopped(&[&url, "--scheme", "file"], "D0107", "scheme file");
    bed.still_works();
}

#[test]
fn an_upstream_cannot_switch_protocols() {
    let bed = Bed::new();
    let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n";
    let switching = RawServer::start(answer, Then::Hold);
    bed.dns.answer("switch.test", &["127.0.0.1"]);
    let url = format!("http://switch.test:{}/", switching.address().port());
    let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
    send(run, &[&url]).denied(&[]).failed("error HTTP-upgrade-failed");
    bed.still_works();
}

#[test]
fn a_target_without_a_host_or_path_form_is_not_sent() {
    let bed = Bed::new();
    let url = bed.url("/hello");
    let attempts: [(&[&str], &str); 4] = [
        (&[&url, "--no-authority"], "GET http:///hello"),
        (&[&url, "--authority", ""], "authority "),
        (&[&url, "--path", "http://evil.test/"], "path http://evil.test/"),
        (&[&url, "--path", "*", "--method", "OPTIONS"], "path *"),
    ];
    for (words, target) in attempts {
        bed.stopped(words, "D0105", target);
    }
    bed.still_works();
}

/// A body that looks like a second request stays a body, and what follows is its own request.
#[test]
fn nothing_is_smuggled_behind_a_body() {
    let bed = Bed::new();
    let url = bed.url("/count");
    let (post, mut recorded) = (format!("POST {url}"), 0);
    let length = ["content-length:4", "content-length:1", "content-length:0"];
    for field in length {
        let words = [&url, "--method", "POST", "--body-bytes", "64", "-H", field];
        let verdict = bed.ask(&words);
        assert_ne!(verdict.report["exit_code"], 0, "a false length: {verdict:#?}");
        // The guest is cut off before or after the decision; there is never a second one.
        let allowed = verdict.denied(&[]).allowed();
        assert!(allowed.len() < 2 && allowed.iter().all(|it| *it == post), "{verdict:#?}");
        recorded += allowed.len();
    }
    let words = [&*url, "--method", "POST", "--body-bytes", "64", "-H", "content-length:64"];
    let verdict = bed.ask(&words);
    assert_eq!(verdict.worked("status 200").allowed(), [&*post]);
    let seen = bed.server.seen().len();
    assert!(seen <= recorded + 1, "{seen} requests came of {recorded} decisions and an honest one");
    let targets: Vec<_> = bed.server.seen().into_iter().map(|seen| seen.target).collect();
    assert!(targets.iter().all(|target| target == "/count"), "{targets:?}");
    bed.still_works();
}
