//! The daemon: what it answers to resource servers and to this machine, beside runs that it does not own.

use super::Machine;
use crate::harness::{Writ, guest};
use crate::running::{Running, eventually, is_gone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Child;
use writ_test_support::{Answer, Api, TestCa};

const ISSUER: &str = "https://writ.test";
const SECRET: &str = "the-secret-of-a-resource-server";

/// A daemon, and where it listens.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    fn start(machine: &Machine, audience: &str) -> Self {
        let private = |name: &str, text: &str| {
            let path = machine.state().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let secret = private("api.secret", SECRET);
        let checkers = private(
            "checkers.toml",
            &format!("[checker.api]\nsecret_file = \"{secret}\"\naudience = \"{audience}\"\n"),
        );
        let words =
            ["serve", "--issuer", ISSUER, "--listen", "127.0.0.1:0", "--checkers", &checkers];
        let mut child = machine.writ(&words).start();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned));
        Self { child, address: address.unwrap() }
    }

    /// Sends a request over TCP and returns the status and the body.
    fn tcp(&self, request: &str) -> (u16, Value) {
        exchange(TcpStream::connect(&self.address).unwrap(), request)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let host = &self.address;
        self.tcp(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
    }

    /// Asks about a token as the resource server does.
    fn introspect(&self, token: &str) -> Value {
        let (host, body) = (&self.address, format!("token={token}"));
        let basic = STANDARD.encode(format!("api:{SECRET}"));
        let (status, answer) = self.tcp(&format!(
            "POST /introspect HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Basic {basic}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> (u16, Value) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A server that takes any token, and a run that sends it one again and again.
fn run_with_a_token(machine: &Machine) -> (Api, Running) {
    let ca = TestCa::new();
    let api = Api::start(&ca, |_| Answer::empty(204));
    let base = api.base();
    let port = base.rsplit_once(':').unwrap().1;
    let (grant, pem) = (machine.state().join("g.toml"), machine.state().join("ca.pem"));
    fs::write(&pem, ca.pem()).unwrap();
    fs::write(
        &grant,
        format!(
            "[task]\nttl = \"10m\"\n[limits]\nwall = \"5m\"\nhttp_requests = 1000000\n\
             [[http]]\nhost = \"127.0.0.1\"\nport = {port}\nmethods = [\"GET\"]\npaths = [\"/**\"]\ncredential = \"api\"\n\
             [[credential]]\nname = \"api\"\nkind = \"jwt\"\naudience = \"{base}\"\n"
        ),
    )
    .unwrap();
    let tool = guest("http");
    let run: Writ = machine.writ(&["run", tool.to_str().unwrap(), "--json", "--issuer", ISSUER]);
    let run = run
        .args(&["--grant", grant.to_str().unwrap(), "--ca", pem.to_str().unwrap()])
        .args(&["--dangerous-loopback", "--", "get", &format!("{base}/x"), "--times", "1000000"]);
    (api, Running::start(run))
}

#[test]
fn a_resource_server_is_told_at_once_that_a_killed_tasks_token_is_worthless() {
    let machine = Machine::new();
    let (api, running) = run_with_a_token(&machine);
    eventually("a request", || !api.heard().is_empty());
    let sent = api.heard()[0].header("authorization").unwrap().to_owned();
    let token = sent.strip_prefix("Bearer ").unwrap();
    let daemon = Daemon::start(&machine, &api.base());

    let (status, metadata) = daemon.get("/.well-known/oauth-authorization-server");
    assert_eq!((status, &metadata["issuer"]), (200, &ISSUER.into()));
    let (_, jwks) = daemon.get("/jwks");
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    let active = daemon.introspect(token);
    assert_eq!((&active["active"], &active["aud"]), (&true.into(), &api.base().into()), "{active}");

    // From another shell, not through the daemon.
    let task = active["task"]["id"].as_str().unwrap();
    assert_eq!(machine.kill(&[task])["exit_code"], 0);
    assert_eq!(daemon.introspect(token), serde_json::json!({"active": false}));
    assert_eq!(running.ended().status.code(), Some(137));
}

#[test]
fn this_machine_lists_and_kills_over_the_socket_and_strangers_do_not() {
    let machine = Machine::new();
    let running = Running::start(machine.run(&["--", "spin"]));
    let daemon = Daemon::start(&machine, "https://api.test");
    let socket = machine.state().join("writ.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let local = |request: &str| exchange(UnixStream::connect(&socket).unwrap(), request);
    let (status, tasks) =
        local("GET /v1/tasks HTTP/1.1\r\nhost: writ\r\nconnection: close\r\n\r\n");
    assert_eq!((status, &tasks["tasks"][0]["state"]), (200, &"live".into()), "{tasks}");
    assert_eq!(tasks["tasks"][0]["pid"], running.id());

    let (status, _) = daemon.get("/v1/tasks");
    assert!(status == 404 || status == 403, "{status}");

    let body = "{\"all\": true, \"why\": \"enough\"}";
    let (status, receipt) = local(&format!(
        "POST /v1/kill HTTP/1.1\r\nhost: writ\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!((status, &receipt["calls"]), (200, &1.into()), "{receipt}");
    assert!(is_gone(running.worker()), "the guest runs on after the kill has returned");
    assert_eq!(running.ended().status.code(), Some(137));
}

#[test]
fn a_daemon_that_cannot_be_safe_does_not_start() {
    let machine = Machine::new();
    for words in [
        &["serve", "--issuer", "http://writ.example"][..],
        &["serve", "--issuer", ISSUER, "--listen", "0.0.0.0:0"],
        &["serve", "--issuer", ISSUER, "--tls-cert", "x"],
        &["serve", "--issuer", ISSUER, "--checkers", "/nowhere"],
    ] {
        let ran = machine.writ(words).done();
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
    }
}
