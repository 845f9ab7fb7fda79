//! Hosts that the grant does not name, whatever their spelling.

use super::{Bed, send};

#[test]
fn a_denied_name_is_never_looked_up() {
    let bed = Bed::new();
    let port = bed.server.port();
    for name in ["c2vjcmv0.exfil.test", "honest.test.evil.test", "sub.honest.test", "honest"] {
        let url = format!("http://{name}:{port}/");
        bed.stopped(&[&url], "D0101", &format!("GET {url}"));
    }
    assert_eq!(bed.dns.queries(), []);
    bed.still_works();
}

#[test]
fn without_a_rule_nothing_leaves() {
    let bed = Bed::new();
    let run = bed.with(&[]).args(&["--dangerous-loopback"]);
    let (url, target) = (bed.url("/hello"), bed.get("/hello"));
    send(run, &[&url]).denied(&[("D0101", &target)]).failed("error HTTP-request-denied");
    assert_eq!(bed.dns.queries(), []);
    bed.still_works();
}

#[test]
fn a_rule_with_an_empty_list_allows_nothing() {
    let bed = Bed::new();
    let rule = format!(
        "[[http]]\nhost = \"honest.test\"\nscheme = \"http\"\nport = {}\n",
        bed.server.port()
    );
    let (url, target) = (bed.url("/hello"), bed.get("/hello"));
    for (list, code) in [("methods = []", "D0103"), ("paths = []", "D0104")] {
        let run = bed.granted(&format!("{rule}{list}\n")).args(&["--dangerous-loopback"]);
        send(run, &[&url]).denied(&[(code, &target)]).failed("error HTTP-request-denied");
    }
    let run = bed.granted(&rule).args(&["--dangerous-loopback"]);
    send(run, &[&url]).worked("status 200");
}

/// Each means this machine to some parser. None is the granted name, and none is asked for.
#[test]
fn no_spelling_of_this_machine_is_reached() {
    let bed = Bed::new();
    let port = bed.server.port();
    let readings = [
        ("127.0.0.1", "D0101"),
        ("127.1", "D0105"),
        ("0x7f.1", "D0105"),
        ("0177.0.0.1", "D0105"),
        ("2130706433", "D0105"),
        ("127.0.0.1.", "D0105"),
        ("0.0.0.0", "D0101"),
        ("localhost", "D0101"),
        ("LOCALHOST", "D0101"),
        ("[::1]", "D0101"),
        ("[::ffff:127.0.0.1]", "D0101"),
        ("[::ffff:7f00:1]", "D0101"),
        ("[64:ff9b::7f00:1]", "D0101"),
        ("honest..test", "D0105"),
        ("xn--honest-.test", "D0105"),
    ];
    for (spelling, code) in readings {
        let url = format!("http://{spelling}:{port}/hello");
        let verdict = bed.ask(&[&url]);
        verdict.failed("error HTTP-request-");
        assert_eq!(verdict.denials().len(), 1, "{spelling}: {verdict:#?}");
        let (seen, target) = verdict.denials()[0];
        assert_eq!(seen, code, "{spelling}: {target}");
        verdict.denied(&[(code, target)]);
    }
    assert_eq!(bed.dns.queries(), []);
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

#[test]
fn other_spellings_of_the_granted_name_are_the_granted_name() {
    let bed = Bed::new();
    let port = bed.server.port();
    for spelling in ["HONEST.test", "honest.test.", "Honest.Test."] {
        let verdict = bed.ask(&[&format!("http://{spelling}:{port}/hello")]);
        verdict.worked("status 200");
        assert_eq!(verdict.allowed(), [bed.get("/hello")], "recorded in its one spelling");
    }
    let decided = format!("honest.test:{port}");
    assert!(bed.server.seen().iter().all(|seen| seen.header("host") == Some(&decided)));
}

#[test]
fn user_information_is_no_host() {
    let bed = Bed::new();
    let url = format!("http://honest.test@evil.test:{}/", bed.server.port());
    bed.stopped(&[&url], "D0105", &format!("GET {url}"));
    bed.still_works();
}

/// The setters of `wasi:http` refuse these, so no ask is ever made. That stands in the record as well.
#[test]
fn control_characters_make_no_request() {
    let bed = Bed::new();
    let url = bed.url("/hello");
    let attempts = [
        ("--authority", r"honest.test\x00.evil.test", "D0105", "authority honest.test\0.evil.test"),
        (
            "--authority",
            r"honest.test\r\nhost: evil.test",
            "D0105",
            "authority honest.test\r\nhost: evil.test",
        ),
        ("--authority", r"honest.test\t", "D0105", "authority honest.test\t"),
        ("--path", r"/hello\r\nx-smuggled: 1", "D0105", "path /hello\r\nx-smuggled: 1"),
        ("--path", r"/hello\x00", "D0105", "path /hello\0"),
        ("--path", r"/a HTTP/1.1\r\n\r\nGET /b", "D0105", "path /a HTTP/1.1\r\n\r\nGET /b"),
        ("--method", r"GET /b HTTP/1.1\r\n\r\nGET", "D0103", "method GET /b HTTP/1.1\r\n\r\nGET"),
        ("--scheme", r"http:\r\n", "D0107", "scheme http:\r\n"),
        ("-H", r"x-a:1\r\nx-smuggled: 1", "D0106", "header x-a"),
        ("-H", r"x\x00a:1", "D0106", "header x\0a"),
    ];
    for (flag, value, code, target) in attempts {
        bed.stopped(&[&url, flag, value], code, target);
    }
    bed.still_works();
}

#[test]
fn a_name_that_does_not_exist_is_recorded_as_such() {
    let bed = Bed::new();
    let run = bed.with(&["GET http://nowhere.test:9/**"]).args(&["--dangerous-loopback"]);
    let target = "GET http://nowhere.test:9/";
    send(run, &["http://nowhere.test:9/"]).denied(&[("D0110", target)]).failed("error DNS-error");
    let asked = bed.dns.queries();
    assert!(asked.iter().all(|(name, _)| name == "nowhere.test."), "no search list: {asked:?}");
    bed.still_works();
}
