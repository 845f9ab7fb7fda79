//! Attacks through sockets, and the one honest use: outgoing TCP to a granted place.

use crate::harness::{Writ, guest};
use crate::verdict::Verdict;
use std::io::Read;
use std::net::TcpListener;
use std::thread::JoinHandle;
use writ_test_support::{DnsStub, RawServer};

/// A name server, and the honest upstream `echo.test`, which says `bye` when the guest is done.
struct Bed {
    dns: DnsStub,
    echo: RawServer,
}

impl Bed {
    fn new() -> Self {
        let (dns, echo) = (DnsStub::start(), RawServer::echo());
        dns.answer("echo.test", &["127.0.0.1"]);
        Self { dns, echo }
    }

    fn port(&self) -> String {
        self.echo.address().port().to_string()
    }

    /// A run that may connect to this port of `echo.test`.
    fn open(&self, port: &str) -> Writ {
        let dns = self.dns.address().to_string();
        let rule = format!("echo.test:{port}");
        let run = Writ::run(&guest("tcp")).args(&["--name-server", &dns]);
        run.args(&["--dangerous-loopback", "--tcp", &rule])
    }

    fn run(&self, words: &[&str]) -> Verdict {
        Verdict::of(self.open(&self.port()).args(&["--"]).args(words))
    }

    /// The attempt is stopped, which is reported and recorded once, and no packet leaves.
    #[track_caller]
    fn stopped(&self, words: &[&str], code: &str, target: &str) {
        let before = self.dns.queries().len();
        self.run(words).denied(&[(code, target)]).failed("error ");
        assert_eq!(self.dns.queries().len(), before, "{words:?} caused a look-up");
    }

    /// The honest use: what was sent comes back, and more after the guest closed its half.
    #[track_caller]
    fn still_works(&self) {
        let verdict = self.run(&["connect", "echo.test", &self.port(), "ping"]);
        verdict.worked("7 bytes: pingbye");
        assert_eq!(verdict.allowed(), [format!("echo.test:{}", self.port())]);
        let usage = &verdict.report["usage"];
        assert_eq!((&usage["bytes_out"], &usage["bytes_in"]), (&4.into(), &7.into()));
    }
}

#[test]
fn a_granted_host_and_port_is_reached() {
    let bed = Bed::new();
    bed.still_works();
    assert_eq!(bed.echo.received(), b"ping");
}

#[test]
fn another_port_or_host_is_denied() {
    let bed = Bed::new();
    bed.stopped(&["connect", "echo.test", "22", "x"], "D0107", "echo.test:22");
    let port = bed.port();
    for host in ["evil.test", "sub.echo.test", "c2vjcmv0.exfil.test"] {
        bed.stopped(&["connect", host, &port, "x"], "D0109", &format!("{host}:{port}"));
    }
    assert_eq!(bed.dns.queries(), []);
    bed.still_works();
}

#[test]
fn an_address_is_not_the_name_that_leads_to_it() {
    let bed = Bed::new();
    let port = bed.port();
    for ip in ["127.0.0.1", "169.254.169.254", "8.8.8.8"] {
        bed.stopped(&["connect-ip", ip, &port], "D0109", &format!("{ip}:{port}"));
        bed.stopped(&["connect", ip, &port, "x"], "D0109", &format!("{ip}:{port}"));
    }
    for ip in ["::1", "fd00:ec2::254"] {
        bed.stopped(&["connect-ip", ip, &port], "D0109", &format!("[{ip}]:{port}"));
    }
    let folded = format!("127.0.0.1:{port}");
    bed.stopped(&["connect-ip", "::ffff:127.0.0.1", &port], "D0109", &folded);
    // WASI has no connection to this one, whatever the grant.
    bed.run(&["connect-ip", "0.0.0.0", &port]).denied(&[]).failed("error InvalidInput");
    // An address from the range that stands for names in the guest, without a name.
    bed.stopped(&["connect-ip", "198.18.0.1", &port], "D0109", &format!("198.18.0.1:{port}"));
    assert_eq!(bed.echo.accepted(), 0);
    bed.still_works();
}

/// A look-up leaves nothing behind and decides nothing: only connecting does.
#[test]
fn looking_a_name_up_causes_no_packet() {
    let bed = Bed::new();
    for name in ["evil.test", "c2vjcmv0.exfil.test", "echo.test"] {
        let verdict = bed.run(&["resolve", name]);
        verdict.worked("1 addresses: 198.18.0.1");
        assert_eq!(verdict.allowed(), [""; 0]);
    }
    assert_eq!(bed.dns.queries(), []);
    bed.still_works();
}

#[test]
fn a_name_with_more_than_one_reading_is_denied() {
    let bed = Bed::new();
    let port = bed.port();
    for name in ["127.1", "0x7f.1", "2130706433", "echo..test", "echo.test@evil.test"] {
        bed.stopped(&["connect", name, &port, "x"], "D0105", name);
    }
    bed.still_works();
}

#[test]
fn datagrams_and_listeners_are_denied() {
    let bed = Bed::new();
    let port = bed.port();
    bed.stopped(&["udp", "echo.test", &port], "D0301", "udp");
    bed.stopped(&["listen", "0"], "D0301", "tcp 0.0.0.0:0");
    bed.stopped(&["listen", "8080"], "D0301", "tcp 0.0.0.0:8080");
    bed.still_works();
}

#[test]
fn a_granted_name_that_leads_inward_is_denied() {
    let bed = Bed::new();
    let (port, target) = (bed.port(), format!("echo.test:{}", bed.port()));
    for addresses in [&["169.254.169.254"][..], &["127.0.0.1", "10.0.0.1"], &["fd00::1"]] {
        bed.dns.answer("echo.test", addresses);
        let verdict = bed.run(&["connect", "echo.test", &port, "x"]);
        verdict.denied(&[("D0102", &target)]).failed("error PermissionDenied");
    }
    assert_eq!(bed.echo.accepted(), 0);
    bed.dns.answer("echo.test", &["127.0.0.1"]);
    bed.still_works();
}

#[test]
fn this_machine_is_out_of_reach_without_the_operators_flag() {
    let bed = Bed::new();
    let (dns, port) = (bed.dns.address().to_string(), bed.port());
    let target = format!("echo.test:{port}");
    let run = Writ::run(&guest("tcp")).args(&["--name-server", &dns, "--tcp", &target, "--"]);
    let verdict = Verdict::of(run.args(&["connect", "echo.test", &port, "x"]));
    verdict.denied(&[("D0102", &target)]).failed("error PermissionDenied");
    assert_eq!(bed.echo.accepted(), 0);
    bed.still_works();
}

#[test]
fn an_http_rule_opens_no_socket() {
    let bed = Bed::new();
    let (dns, port) = (bed.dns.address().to_string(), bed.port());
    let rule = format!("GET http://echo.test:{port}/**");
    let run = Writ::run(&guest("tcp")).args(&["--name-server", &dns, "--dangerous-loopback"]);
    let run = run.args(&["--http", &rule, "--", "connect", "echo.test", &port, "x"]);
    Verdict::of(run).denied(&[("D0109", &format!("echo.test:{port}"))]).failed("error ");
    assert_eq!(bed.dns.queries(), []);
    bed.still_works();
}

/// A server that reads one connection to its end and says how much there was.
fn sink() -> (String, JoinHandle<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let reading = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            assert!(buffer[..read].iter().all(|byte| *byte == b'x'));
            total += read as u64;
        }
        total
    });
    (port, reading)
}

#[test]
fn a_big_transfer_arrives_whole() {
    let bed = Bed::new();
    let (port, reading) = sink();
    let run = bed.open(&port).args(&["--", "send", "echo.test", &port, "12000000"]);
    Verdict::of(run).worked("sent 12000000 bytes");
    assert_eq!(reading.join().unwrap(), 12_000_000);
}

/// Nobody reads at the other end: the guest waits, and the host does not take what it cannot pass on.
#[test]
fn an_upstream_that_does_not_read_holds_the_guest_back() {
    let bed = Bed::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let run = bed.open(&port).args(&["--limit", "wall=1s", "--limit", "bytes_out=1GiB"]);
    let verdict = Verdict::of(run.args(&["--", "send", "echo.test", &port, "900000000"]));
    verdict.denied(&[]).over("wall");
    let sent = verdict.report["usage"]["bytes_out"].as_u64().unwrap();
    assert!(sent < 32 << 20, "{sent} bytes were taken, more than the kernel buffers");
    bed.still_works();
}

#[test]
fn a_connection_beyond_bytes_out_ends_the_task() {
    let bed = Bed::new();
    let (port, reading) = sink();
    let run = bed.open(&port).args(&["--limit", "bytes_out=100000"]);
    let verdict = Verdict::of(run.args(&["--", "send", "echo.test", &port, "1000000"]));
    verdict.denied(&[]).over("bytes_out");
    assert!(reading.join().unwrap() <= 100_000);
    bed.still_works();
}

#[test]
fn connections_count_as_requests() {
    let bed = Bed::new();
    let port = bed.port();
    let run = bed.open(&port).args(&["--limit", "http_requests=1"]);
    Verdict::of(run.args(&["--", "connect", "echo.test", &port, "ping"])).worked("pingbye");
    let verdict = bed.run(&["connect", "echo.test", &port, "ping"]);
    assert_eq!(verdict.report["usage"]["http_requests"], 1);
}

/// The name goes into the record, but not all of it: the host takes no message of that size.
#[test]
fn a_name_of_megabytes_ends_nothing_but_the_call() {
    let bed = Bed::new();
    let run = || Writ::run(&guest("limits")).args(&["--limit", "hostcall_bytes=16MiB", "--"]);
    let verdict = Verdict::of(run().args(&["hostcall", "9000000"]));
    assert_eq!(verdict.report["outcome"], "exited", "{}", verdict.report["outcome"]);
    assert!(verdict.stdout().starts_with("refused: "));
    let denials = verdict.denials();
    assert_eq!((denials.len(), denials[0].0), (1, "D0105"));
    assert!(denials[0].1.len() < 4200, "{} bytes", denials[0].1.len());
    verdict.denied(&[denials[0]]);
    Verdict::of(run().args(&["hostcall", "10"])).worked("");
    bed.still_works();
}
