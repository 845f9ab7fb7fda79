//! What it costs. Run alone, in a release build, with `--ignored --nocapture`.
#![expect(clippy::disallowed_methods, reason = "a measurement takes the time")]

use super::*;
use std::io::Write;
use std::time::Instant;

/// A state that costs next to nothing.
struct Nothing;

impl State for Nothing {
    fn reset(&mut self, _: Option<&[u8]>) -> Result<(), Unfit> {
        Ok(())
    }
    fn apply(&mut self, _: &Record) -> Result<(), Unfit> {
        Ok(())
    }
    fn committed(&mut self, _: Head) {}
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
    fn sealed(&mut self, _: &WriteError) {}
}

#[tokio::test]
#[ignore = "a measurement"]
async fn appending_alone_and_at_sixty_four_producers() {
    let bed = Bed::new();
    let start = Instant::now();
    let ledger = Arc::new(bed.open().unwrap());
    let writer = Arc::new(Writer::spawn(ledger, Nothing, Pace::default()).unwrap());
    let mut report = format!("make, spawn: {:?}\n", start.elapsed());
    for (producers, each) in [(1, 2000), (64, 500), (64, 500), (64, 500), (64, 2000), (256, 500)] {
        let start = Instant::now();
        let tasks: Vec<_> = (0..producers)
            .map(|_| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move {
                    let mut times = Vec::with_capacity(each);
                    for n in 0..each as u64 {
                        let start = Instant::now();
                        writer.append(vec![add(n)]).await.unwrap();
                        times.push(start.elapsed());
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        let rate = times.len() as f64 / start.elapsed().as_secs_f64();
        times.sort();
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let max = times[times.len() - 1];
        report += &format!(
            "{producers:>3} producers: {rate:>9.0}/s  p50 {p50:.1?}  p99 {p99:.1?}  max {max:.1?}\n"
        );
    }
    std::io::stderr().write_all(report.as_bytes()).unwrap();
}
