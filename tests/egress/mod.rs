//! Attacks on the way out by HTTP, each through the program, with a real guest and real servers.

mod addresses;
mod bodies;
mod credentials;
mod fields;
mod limits;
mod names;
mod requests;
mod tls;

use crate::harness::{Writ, guest};
use crate::verdict::Verdict;
use std::path::PathBuf;
use tempfile::TempDir;
use writ_test_support::{DnsStub, HttpServer};

/// A name server, and the honest upstream `honest.test`.
struct Bed {
    dns: DnsStub,
    server: HttpServer,
    dir: TempDir,
}

impl Bed {
    fn new() -> Self {
        let (dns, server) = (DnsStub::start(), HttpServer::start());
        dns.answer("honest.test", &["127.0.0.1"]);
        Self { dns, server, dir: tempfile::tempdir().unwrap() }
    }

    /// A URL at the honest upstream.
    fn url(&self, path: &str) -> String {
        format!("http://honest.test:{}{path}", self.server.port())
    }

    /// What the record says of a request to the honest upstream.
    fn get(&self, path: &str) -> String {
        format!("GET {}", self.url(path))
    }

    /// A run that may send anything to the honest upstream; the operator opened loopback.
    fn open(&self) -> Writ {
        let rule = format!("GET,POST,PUT,HEAD {}", self.url("/**"));
        self.with(&[&rule]).args(&["--dangerous-loopback"])
    }

    /// A run with these rules, which asks the stub for names.
    fn with(&self, rules: &[&str]) -> Writ {
        let dns = self.dns.address().to_string();
        let run = Writ::run(&guest("http")).args(&["--name-server", &dns, "--limit", "wall=20s"]);
        rules.iter().fold(run, |run, rule| run.args(&["--http", rule]))
    }

    /// A run with a grant file.
    fn granted(&self, grant: &str) -> Writ {
        self.with(&[]).args(&["--grant", self.file("grant.toml", grant).to_str().unwrap()])
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Sends one request under the grant of the honest upstream.
    fn ask(&self, words: &[&str]) -> Verdict {
        send(self.open(), words)
    }

    /// The request is stopped, which is reported and recorded once, and nothing left the machine.
    #[track_caller]
    fn stopped(&self, words: &[&str], code: &str, target: &str) {
        let before = (self.dns.queries().len(), self.server.seen().len());
        self.ask(words).denied(&[(code, target)]).failed("error ");
        let after = (self.dns.queries().len(), self.server.seen().len());
        assert_eq!(before, after, "{words:?} left the machine");
    }

    /// The honest use of the same grant.
    #[track_caller]
    fn still_works(&self) {
        let verdict = self.ask(&[&self.url("/hello"), "--show"]);
        verdict.worked("status 200");
        assert!(verdict.stdout().contains("text hello"), "{verdict:#?}");
        assert_eq!(verdict.allowed(), [self.get("/hello")]);
    }
}

/// `http get WORDS…`
fn send(run: Writ, words: &[&str]) -> Verdict {
    Verdict::of(run.args(&["--", "get"]).args(words))
}
