//! Credentials that the host puts into requests: real servers that demand them, tools that never see
//! them, and copies that are worthless once the task is dead.

use super::{Machine, ledger, words};
use crate::harness::{Ran, Writ, guest};
use crate::running::{Running, eventually, is_gone};
use crate::schema;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use writ_broker::authority::View;
use writ_broker::clock::{Clock, SystemClock};
use writ_broker::event::Event;
use writ_broker::keys::{KeySet, Purpose};
use writ_broker::token::dpop::{Capacity, ProofExpectations, ProofVerifier, Target};
use writ_broker::token::{Audience, Claims, Expectations, Holder, Verified, Verifier};
use writ_test_support::{Answer, Api, Heard, TestCa};

const ISSUER: &str = "https://writ.test";
const SECRET: &str = "correct-horse-battery-staple";

/// A resource server (RFC 6750, RFC 9449) that asks the ledger whether a token is still good, and gives
/// back everything that it was sent, in plain and in base64.
struct Resource {
    api: Api,
    ca: TestCa,
}

/// How the server checks.
struct Check {
    state: PathBuf,
    proofs: ProofVerifier,
}

impl Check {
    fn verified(&self, heard: &Heard, audience: &str) -> Option<Verified<Claims>> {
        let (scheme, token) = heard.header("authorization")?.split_once(' ')?;
        let now = SystemClock.now();
        let view = View::open(Arc::new(ledger(&self.state))).unwrap();
        let keys = KeySet::from(&view.state().keys(Purpose::Access).jwks(now));
        let target = Target::parse(&format!("{audience}{}", heard.path)).unwrap();
        let holder = match scheme {
            "DPoP" => {
                let expected = ProofExpectations {
                    method: &heard.method,
                    target: &target,
                    token: Some(token),
                };
                Some(self.proofs.verify(heard.header("dpop")?, &expected, now).ok()?)
            }
            "Bearer" => None,
            _ => return None,
        };
        let expected = Expectations {
            issuer: ISSUER,
            audience: Audience::Is(audience),
            holder: holder.as_deref().map_or(Holder::Bearer, Holder::Proved),
        };
        let claims = Verifier::new(keys).verify(token, &expected, now).ok()?;
        view.state().is_active(&claims.jti, now).then_some(claims)
    }
}

fn reflection(heard: &Heard) -> String {
    let plain = format!("{:?}", heard.headers);
    format!("{plain}\n{}", STANDARD.encode(&plain))
}

impl Resource {
    fn start(machine: &Machine) -> Self {
        let ca = TestCa::new();
        let state = machine.state().to_owned();
        let check = Check { state, proofs: ProofVerifier::new(Capacity::default(), None) };
        let api = Api::start(&ca, move |heard| {
            let audience = format!("https://{}", heard.header("host").unwrap_or_default());
            match check.verified(heard, &audience) {
                Some(_) => Answer {
                    status: 200,
                    headers: vec![("x-seen", format!("{:?}", heard.header("authorization")))],
                    body: reflection(heard),
                },
                None => Answer {
                    status: 401,
                    headers: vec![("www-authenticate", "DPoP error=\"invalid_token\"".to_owned())],
                    body: String::new(),
                },
            }
        });
        Self { api, ca }
    }

    /// A run that may send requests here, with these lines in its rule and in its grant.
    fn run(&self, machine: &Machine, rule: &str, rest: &str) -> Writ {
        let port = self.api.base().rsplit_once(':').unwrap().1.to_owned();
        let grant = format!(
            "[task]\nttl = \"10m\"\n[limits]\nwall = \"5m\"\nhttp_requests = 1000000\n[[http]]\nhost = \"127.0.0.1\"\nport = {port}\n\
             methods = [\"GET\"]\npaths = [\"/**\"]\n{rule}\n{rest}\n"
        );
        let (grant_file, ca_file) =
            (machine.state().join("g.toml"), machine.state().join("ca.pem"));
        fs::write(&grant_file, grant).unwrap();
        fs::write(&ca_file, self.ca.pem()).unwrap();
        let tool = guest("http");
        machine
            .writ(&["run", tool.to_str().unwrap(), "--json"])
            .args(&["--grant", grant_file.to_str().unwrap(), "--ca", ca_file.to_str().unwrap()])
            .args(&["--dangerous-loopback"])
    }

    /// A run whose requests carry a token.
    fn with_token(&self, machine: &Machine, place: &str) -> Writ {
        self.granting_token(machine, place).args(&["--issuer", ISSUER])
    }

    fn granting_token(&self, machine: &Machine, place: &str) -> Writ {
        let base = self.api.base();
        let rest = format!(
            "[[credential]]\nname = \"api\"\nkind = \"jwt\"\naudience = \"{base}\"\nscope = \"read\"\n\
             place = \"{place}\"\n"
        );
        self.run(machine, "credential = \"api\"", &rest)
    }

    /// What was sent as `Authorization`, without its scheme.
    fn sent(&self) -> Vec<String> {
        let heard = self.api.heard();
        let values = heard.iter().filter_map(|heard| heard.header("authorization"));
        values.map(|value| value.split_once(' ').unwrap().1.to_owned()).collect()
    }
}

/// Nothing that a tool, a reader or the ledger has holds any part of a secret.
#[track_caller]
fn nowhere(secret: &str, machine: &Machine, ran: &Ran) {
    let places = [&ran.stdout[..], ran.stderr.as_bytes(), &machine.bytes()];
    let encoded = STANDARD.encode(secret);
    // The middle of it, whatever stands around it when it is encoded.
    for form in [secret, &encoded[4..encoded.len() - 8]] {
        for place in &places {
            assert!(!place.windows(form.len()).any(|bytes| bytes == form.as_bytes()), "{form}");
        }
    }
}

fn stdout(ran: &Ran) -> String {
    schema::read(&ran.stdout)["stdout"].as_str().unwrap().to_owned()
}

#[test]
fn a_tool_reaches_a_server_that_demands_a_bound_token_and_sees_no_byte_of_it() {
    let machine = Machine::new();
    let server = Resource::start(&machine);
    let url = format!("{}/repos", server.api.base());
    let ran = server.with_token(&machine, "dpop").args(&["--", "get", &url]).done();
    assert!(stdout(&ran).starts_with("status 200"), "{ran:?}");
    let token = &server.sent()[0];
    nowhere(token, &machine, &ran);
    nowhere(token.rsplit_once('.').unwrap().1, &machine, &ran);
    let heard = server.api.heard();
    nowhere(heard[0].header("dpop").unwrap(), &machine, &ran);

    let story = words(&machine.records());
    let place = |word| story.iter().position(|other| other == word).unwrap();
    assert!(place("ask.decided") < place("token.minted"), "{story:?}");
    assert!(place("keys.changed") < place("token.minted"), "{story:?}");
    let minted = machine.records().into_iter().filter_map(|event| match event {
        Event::TokenMinted(minted) => Some(minted),
        _ => None,
    });
    let audiences: Vec<_> = minted.map(|minted| minted.audience).collect();
    assert_eq!(audiences, [server.api.base()]);
}

#[test]
fn a_server_refuses_a_request_without_the_token() {
    let machine = Machine::new();
    let server = Resource::start(&machine);
    let url = format!("{}/repos", server.api.base());
    let ran = server.run(&machine, "", "").args(&["--", "get", &url]).done();
    assert!(stdout(&ran).starts_with("status 401"), "{ran:?}");
}

#[test]
fn one_token_serves_many_requests_each_with_a_proof_of_its_own() {
    let machine = Machine::new();
    let server = Resource::start(&machine);
    let url = format!("{}/repos", server.api.base());
    let ran = server.with_token(&machine, "dpop").args(&["--", "get", &url, "--times", "5"]).done();
    assert_eq!(stdout(&ran).matches("status 200").count(), 5, "{ran:?}");
    let sent = server.sent();
    assert!(sent.len() == 5 && sent.iter().all(|token| *token == sent[0]));
    let proofs: std::collections::BTreeSet<_> =
        server.api.heard().iter().map(|heard| heard.header("dpop").unwrap().to_owned()).collect();
    assert_eq!(proofs.len(), 5);
}

#[test]
fn a_copy_of_a_token_is_worthless_once_its_task_was_killed() {
    let machine = Machine::new();
    let server = Resource::start(&machine);
    let url = format!("{}/repos", server.api.base());
    let running =
        server.with_token(&machine, "bearer").args(&["--", "get", &url, "--times", "1000000"]);
    let running = Running::start(running);
    eventually("a request", || !server.sent().is_empty());
    let copy = format!("authorization:Bearer {}", server.sent()[0]);
    // Another tool that has got hold of it.
    let steal = || {
        let ran = server.run(&machine, "", "").args(&["--", "get", &url, "-H", &copy]).done();
        stdout(&ran).lines().next().unwrap().to_owned()
    };
    assert_eq!(steal(), "status 200", "a copy works while its task lives: bind it");
    let tasks = machine.tasks();
    let killed = tasks.iter().find(|task| task["pid"] == running.id()).unwrap();
    assert_eq!(killed["tokens"], 1);
    let receipt = machine.kill(&[killed["task"].as_str().unwrap()]);
    assert_eq!((&receipt["exit_code"], &receipt["tokens"]), (&0.into(), &1.into()));
    assert!(is_gone(running.worker()));
    assert_eq!(steal(), "status 401");
    assert_eq!(running.ended().status.code(), Some(137));
}

#[test]
fn without_an_issuer_there_is_no_token_and_the_tool_is_told() {
    let machine = Machine::new();
    let server = Resource::start(&machine);
    let url = format!("{}/repos", server.api.base());
    let ran = server.granting_token(&machine, "dpop").args(&["--", "get", &url]).done();
    let report = schema::read(&ran.stdout);
    assert_eq!(report["denials"][0]["code"], "D0112", "{report}");
    assert!(report["denials"][0]["reason"].as_str().unwrap().contains("--issuer"), "{report}");
    assert!(server.api.heard().is_empty());
}

/// The operator's file for one secret in a variable, good for one server.
fn operators(machine: &Machine, server: &Resource, paths: &str) -> String {
    let port = server.api.base().rsplit_once(':').unwrap().1.to_owned();
    let file = machine.state().join("credentials.toml");
    let text = format!(
        "[credential.github]\nkind = \"secret\"\nsource = {{ env = \"GITHUB_TOKEN\" }}\n\
         [[credential.github.allow]]\nhost = \"127.0.0.1\"\nport = {port}\nmethods = [\"GET\"]\npaths = [\"{paths}\"]\n"
    );
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A server that wants the operator's secret, and gives back everything that it was sent.
fn echo() -> Resource {
    let ca = TestCa::new();
    let api = Api::start(&ca, |heard| Answer {
        status: if heard.header("x-api-key") == Some(SECRET) { 200 } else { 401 },
        headers: vec![("x-seen", format!("{:?}", heard.header("x-api-key")))],
        body: reflection(heard),
    });
    Resource { api, ca }
}

const WITH_SECRET: &str =
    "[[credential]]\nname = \"github\"\nkind = \"secret\"\nplace = \"header:X-Api-Key\"\n";

#[test]
fn a_secret_of_the_operator_goes_to_its_server_and_to_nobody_else() {
    let machine = Machine::new();
    let server = echo();
    let file = operators(&machine, &server, "/repos/**");
    let run = |path: &str| {
        let url = format!("{}{path}", server.api.base());
        let run = server.run(&machine, "credential = \"github\"", WITH_SECRET);
        let run = run.args(&["--credentials", &file, "--", "get", &url]);
        run.env("GITHUB_TOKEN", SECRET).done()
    };
    let ran = run("/repos/acme");
    assert!(stdout(&ran).starts_with("status 200"), "{ran:?}");
    nowhere(SECRET, &machine, &ran);
    let story = words(&machine.records());
    let leases: Vec<_> = story.iter().filter(|word| word.starts_with("lease.")).collect();
    assert_eq!(leases, ["lease.intended", "lease.granted", "lease.revoked"], "{story:?}");
    assert!(machine.tasks().is_empty());

    // The grant is wider than what the operator allows.
    let ran = run("/admin");
    let report = schema::read(&ran.stdout);
    assert_eq!(report["denials"][0]["code"], "D0112", "{report}");
    assert_eq!(server.api.heard().len(), 1);
    nowhere(SECRET, &machine, &ran);
}

#[test]
fn a_credentials_file_with_a_mistake_stops_the_run_before_it_starts() {
    let machine = Machine::new();
    let server = echo();
    let file = machine.state().join("credentials.toml");
    fs::write(&file, "[credential.github]\nkind = \"secret\"\nsource = \"hunter2\"\nallow = []\n")
        .unwrap();
    let run = server.run(&machine, "credential = \"github\"", WITH_SECRET);
    let url = format!("{}/repos", server.api.base());
    let ran = run.args(&["--credentials", file.to_str().unwrap(), "--", "get", &url]).done();
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    assert!(server.api.heard().is_empty());
    assert!(words(&machine.records()).is_empty());
}
