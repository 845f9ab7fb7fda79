//! The examples at work, each under the grant that lies beside it.

use crate::harness::{Writ, denied, guest};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use writ_test_support::{DnsStub, HttpServer, TestCa, TlsProtocol};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// `writ run EXAMPLE --grant grant.toml`, started where the grant lies.
fn run(name: &str) -> Writ {
    Writ::run(&guest(name)).within(&example(name)).args(&["--grant", "grant.toml"])
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn every_grant_beside_an_example_is_sound() {
    for name in ["fetch", "sitegen", "textstat", "js-slugify", "py-outline"] {
        let check = Writ::new(&["check", "grant.toml", "--deny-warnings"]);
        let ran = check.within(&example(name)).done();
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{name}");
    }
}

#[test]
fn textstat_counts_words_in_the_one_directory_that_it_may_read() {
    let report = run("textstat").args(&["--call", "count", "--args", r#"["/text",3]"#]).json();
    assert_eq!(report["exit_code"], 0, "{report}");
    let files = report["result"]["ok"]["files"].as_array().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/text/limits.txt", "/text/poems/grant.txt"]);
    let text = fs::read_to_string(example("textstat").join("text/limits.txt")).unwrap();
    let stats = &files[0]["stats"];
    assert_eq!(stats["bytes"], text.len());
    assert_eq!(stats["lines"], text.lines().count());
    assert_eq!(report["result"]["ok"]["total"]["top-words"].as_array().unwrap().len(), 3);
}

#[test]
fn textstat_cannot_leave_its_directory() {
    let outside =
        run("textstat").args(&["--call", "count", "--args", r#"["/text/../grant.toml",3]"#]);
    let report = outside.json();
    assert_ne!(report["exit_code"], 0, "{report}");
    assert!(!report["result"]["err"].is_null(), "{report}");
    let absent =
        run("textstat").args(&["--call", "count", "--args", r#"["/text/absent",3]"#]).json();
    assert_eq!(absent["result"], json!({"err": {"not-found": "/text/absent"}}));
    assert_eq!((&absent["outcome"], &absent["exit_code"]), (&json!("exited"), &json!(1)));
}

/// A copy of the sample site with the grant beside it, so that the sources of the project stay clean.
fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&example("sitegen").join("site"), &folder.path().join("site"));
    fs::copy(example("sitegen").join("grant.toml"), folder.path().join("grant.toml")).unwrap();
    // What an earlier run by hand left is not what this run makes.
    fs::remove_dir_all(folder.path().join("site/out")).unwrap();
    fs::create_dir(folder.path().join("site/out")).unwrap();
    folder
}

#[test]
fn sitegen_builds_a_site_into_the_one_directory_that_it_may_write() {
    let folder = site();
    let run = Writ::run(&guest("sitegen")).within(folder.path());
    let report = run.args(&["--grant", "grant.toml", "--", "/site", "/site/out"]).json();
    assert_eq!((&report["exit_code"], denied(&report).len()), (&json!(0), 0), "{report}");
    let out = folder.path().join("site/out");
    for page in ["index.html", "watch.html", "guide/lamp.html"] {
        let html = fs::read_to_string(out.join(page)).unwrap();
        assert!(html.contains("<h1"), "{page}: {html}");
    }
    assert!(out.join("images/lighthouse.svg").exists());
}

#[test]
fn sitegen_cannot_write_among_its_sources() {
    let folder = site();
    let before = fs::read_to_string(folder.path().join("site/index.md")).unwrap();
    let run = Writ::run(&guest("sitegen")).within(folder.path());
    let report = run.args(&["--grant", "grant.toml", "--", "/site", "/site/posts"]).json();
    assert_ne!(report["exit_code"], 0);
    assert_eq!(denied(&report)[0], "D0201", "{report}");
    let target = report["denials"][0]["target"].as_str().unwrap();
    assert!(target.starts_with("/site/posts"), "{target}");
    assert!(!folder.path().join("site/posts").exists());
    assert_eq!(fs::read_to_string(folder.path().join("site/index.md")).unwrap(), before);
}

#[test]
fn fetch_is_denied_a_host_that_its_grant_does_not_name() {
    let dns = DnsStub::start();
    let run = run("fetch").args(&["--name-server", &dns.address().to_string()]);
    let report = run.args(&["--call", "get", "--args", r#"["https://example.com/"]"#]).json();
    assert_eq!((&report["outcome"], &report["exit_code"]), (&json!("denied"), &json!(3)));
    assert_eq!(report["result"], json!({"err": "denied"}));
    assert_eq!(denied(&report), ["D0101"]);
    assert_eq!(dns.queries(), [], "a look-up alone can carry data away");
}

#[test]
fn fetch_gets_what_its_grant_names() {
    let (dns, ca) = (DnsStub::start(), TestCa::new());
    let server = HttpServer::start_tls(&ca, &["api.github.com"], TlsProtocol::Http2);
    dns.answer("api.github.com", &["127.0.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let port = server.port().to_string();
    let grant = fs::read_to_string(example("fetch").join("grant.toml")).unwrap();
    // The test server cannot have port 443; all else is as it stands beside the example.
    let grant = grant
        .replace("host = \"api.github.com\"", &format!("host = \"api.github.com\"\nport = {port}"));
    fs::write(folder.path().join("grant.toml"), grant).unwrap();
    let get = |path: &str| -> Value {
        let url = format!(r#"["https://api.github.com:{port}{path}"]"#);
        let run = Writ::run(&guest("fetch")).within(folder.path()).args(&["--grant", "grant.toml"]);
        let run = run.args(&["--dangerous-loopback", "--name-server", &dns.address().to_string()]);
        run.args(&["--ca", "ca.pem", "--call", "get", "--args", &url]).json()
    };
    let report = get("/repos/bytecodealliance/wasmtime");
    assert_eq!(report["exit_code"], 0, "{report}");
    assert!(report["result"]["ok"]["status"].is_u64(), "{report}");
    assert_eq!(report["usage"]["http_requests"], 1);
    let seen = server.seen().len();
    assert_eq!(seen, 1);
    let other = get("/user");
    assert_eq!((&other["outcome"], denied(&other)), (&json!("denied"), vec!["D0104"]), "{other}");
    assert_eq!(server.seen().len(), seen, "the request reached the server");
}
