//! (c) Two workers against one.

use crate::host::{Host, function, guest};
use crate::table::Table;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use writ_broker::Grant;

const TIME: Duration = Duration::from_secs(3);

pub(crate) fn run(table: &mut Table) {
    // In turns, twice: what disturbs the machine then disturbs both.
    let (mut one, mut two) = (0.0, 0.0);
    for _ in 0..2 {
        one += calls_per_second(1, "add", "[1, 2]");
        two += calls_per_second(2, "add", "[1, 2]");
    }
    table.row(
        "(c) calls per second, two workers",
        format!("{:.0}", two / 2.0),
        format!("one worker {:.0}", one / 2.0),
        format!("{:.2}×", two / one),
        "≥ 1.8×",
        Some(two / one >= 1.8),
    );
}

fn calls_per_second(workers: usize, name: &'static str, args: &'static str) -> f64 {
    let ready = Arc::new(Barrier::new(workers));
    let threads: Vec<_> = (0..workers)
        .map(|_| {
            let ready = ready.clone();
            std::thread::spawn(move || {
                let host = Host::new();
                let tool = host.tool(&guest("guests", "bench"));
                let functions = &tool.entry.description.functions;
                let found = functions.iter().find(|it| it.name == name).unwrap();
                let call = function(found.interface.as_deref(), name, args);
                let mut task = host.task(&tool, Grant::default());
                host.call(&mut task, &tool, call.clone());
                ready.wait();
                let start = Instant::now();
                let mut count = 0_u32;
                while start.elapsed() < TIME {
                    host.call(&mut task, &tool, call.clone());
                    count += 1;
                }
                f64::from(count) / start.elapsed().as_secs_f64()
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}
