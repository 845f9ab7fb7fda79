//! (f) From the request to kill a task until no guest instruction runs and its sockets are closed,
//! and until it is reaped.

use crate::host::{Host, Tool, guest};
use crate::table::{Spread, Table, time};
use std::cell::Cell;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use writ_broker::Grant;
use writ_broker::grant::{Flags, GrantSource, Place};
use writ_runtime::outcome::Outcome;
use writ_runtime::supervisor::Interrupt;
use writ_runtime::wire::Invoke;

const RUNS: usize = 200;

pub(crate) fn run(table: &mut Table) {
    let host = Host::new();
    let limits = host.tool(&guest("guests", "limits"));
    let http = host.tool(&guest("guests", "http"));
    // An upstream that takes the request and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let cases: [(&str, &Tool, Vec<&str>, Grant); 5] = [
        ("spins", &limits, vec!["spin"], granted(&[])),
        ("sleeps", &limits, vec!["sleep", "60"], granted(&[])),
        ("fills 1 GiB in one instruction", &limits, vec!["touch", "1073741824"], granted(&[])),
        ("waits for an upstream", &http, vec!["get", &url], granted(&[format!("GET {url}")])),
        ("blocks in a host call", &limits, vec!["stdin"], granted(&[])),
    ];
    for (what, tool, words, grant) in cases {
        let (stopped, reaped) = latencies(&host, tool, &words, &grant);
        table.row(
            &format!("(f) kill of a guest that {what}, p99"),
            time(stopped.p99),
            format!(
                "p50 {}; reaped p50 {}, p99 {}",
                time(stopped.p50),
                time(reaped.p50),
                time(reaped.p99)
            ),
            "",
            "≤ 5 ms",
            Some(stopped.p99 <= Duration::from_millis(5)),
        );
    }
    drop(silent);
}

fn granted(http: &[String]) -> Grant {
    let limit = ["memory=2GiB", "cpu=1h", "wall=1h"].map(String::from).to_vec();
    let flags = Flags { http: http.to_vec(), limit, ..Flags::default() };
    let source = GrantSource { file: None, flags };
    let parsed = source.parse(&Place { current_dir: "/".into(), ..Place::default() });
    parsed.grant.unwrap_or_else(|| panic!("{}", parsed.report.render(false)))
}

fn latencies(host: &Host, tool: &Tool, words: &[&str], grant: &Grant) -> (Spread, Spread) {
    let (mut stopped, mut reaped) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut task = host.task(tool, grant.clone());
        let args = ["guest"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        let asked = Cell::new(None);
        let interrupt = async {
            // Long enough to be in the middle of it.
            tokio::time::sleep(Duration::from_millis(25)).await;
            asked.set(Some(Instant::now()));
            Interrupt::Kill
        };
        let report = host.call_until(&mut task, tool, Invoke::Command { args }, interrupt);
        let asked = asked.get().expect("the guest ended before it was killed");
        reaped.push(asked.elapsed());
        assert_eq!(report.outcome, Outcome::Killed);
        stopped.push(report.stopped.expect("a killed call says when").duration_since(asked));
    }
    (Spread::of(stopped), Spread::of(reaped))
}
