//! How fast a big body goes through. Run with `--ignored --nocapture`.

use super::bed::{Bed, Honest, limited, request};
use http::Method;
use http_body_util::BodyExt;
use std::time::Instant;

const BYTES: usize = 64 << 20;

/// A 64 MiB body must go through at half of curl's speed and not cost the host more than 32 MiB.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_big_body_goes_through_at_half_of_curls_speed() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| {
        limits.bytes_in = 1 << 40;
        limits.http_requests = 1000;
    });
    let mut worker = bed.task(grant).await;
    let url = honest.url(&format!("/big/{BYTES}"));
    let direct = format!("http://127.0.0.1:{}/big/{BYTES}", honest.server.port());
    let (mut gate, mut curl) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let start = Instant::now();
        let mut body = worker.start(request(Method::GET, &url)).await.into_body();
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(read, BYTES);
        gate.push(start.elapsed());
        let start = Instant::now();
        let mut command = std::process::Command::new("curl");
        assert!(command.args(["-s", "-o", "/dev/null", &direct]).status().unwrap().success());
        curl.push(start.elapsed());
    }
    gate.sort();
    curl.sort();
    let rate = |time: &std::time::Duration| BYTES as f64 / time.as_secs_f64() / f64::from(1 << 20);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    let report = format!(
        "gate {:.0} MiB/s, curl {:.0} MiB/s (median of 9), {peak}\n",
        rate(&gate[4]),
        rate(&curl[4])
    );
    std::io::Write::write_all(&mut std::io::stderr(), report.as_bytes()).unwrap();
    assert!(gate[4] <= curl[4] * 2, "{report}");
}
