//! How fast a big body goes through, and what it costs. Run alone, with `--ignored --nocapture`.

use super::bed::{Bed, Honest, Worker, carrying, limited, request, with_body};
use crate::scrub::Patterns;
use crate::secret::Secret;
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use std::io::Write;
use std::time::{Duration, Instant};
use writ_broker::Grant;

const BYTES: usize = 64 << 20;
const RUNS: usize = 9;
/// What the transfers may add to the whole process, KiB: the gate, the worker's end and the server.
const MEMORY: u64 = 32 << 10;

/// A 64 MiB body must go through at half of curl's speed and not cost the host more than 32 MiB.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_big_body_goes_through_at_half_of_curls_speed() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| {
        limits.bytes_in = 1 << 40;
        limits.bytes_out = 1 << 40;
        limits.http_requests = 1000;
    });
    let mut worker = bed.task(grant).await;
    honest.still_works(&mut worker).await;
    let content = Bytes::from(vec![b'x'; BYTES]);
    let before = peak_memory();
    let (mut down, mut up, mut curl) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        down.push(download(&mut worker, &honest).await);
        up.push(upload(&mut worker, &honest, content.clone()).await);
        curl.push(curl_download(&honest));
    }
    let [down, up, curl] = [down, up, curl].map(median);
    let memory = peak_memory() - before;
    let report = format!(
        "down {:.0} MiB/s, up {:.0} MiB/s, curl down {:.0} MiB/s, peak memory +{memory} KiB\n",
        rate(down),
        rate(up),
        rate(curl)
    );
    std::io::stderr().write_all(report.as_bytes()).unwrap();
    assert!(down <= curl * 2 && up <= curl * 2, "{report}");
    assert!(memory <= MEMORY, "{report}");
}

/// Says what looking for a secret costs: per byte of a clean body, and per request.
#[tokio::test]
#[ignore = "a measurement"]
async fn looking_for_a_secret_costs_little() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let much = |grant| {
        limited(grant, |limits| {
            limits.bytes_in = 1 << 40;
            limits.http_requests = 10_000;
        })
    };
    let mut plain = bed.task(much(honest.grant())).await;
    let grant = carrying(Grant::default(), honest.rule(), "api", "bearer");
    let mut looking = bed.task(much(grant)).await;
    let token = token(1000);
    looking.has("api", "bearer", &token);
    let (mut passing, mut scrubbing) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        passing.push(download(&mut plain, &honest).await);
        scrubbing.push(download(&mut looking, &honest).await);
    }
    let [passing, scrubbing] = [passing, scrubbing].map(median);
    let secrets = [Secret::new(token), Secret::new(self::token(400))];
    let start = Instant::now();
    for _ in 0..1000 {
        assert!(Patterns::new(&secrets).is_some());
    }
    let prepare = start.elapsed() / 1000;
    let mut one = [Vec::new(), Vec::new()];
    for _ in 0..500 {
        for (worker, times) in [&mut plain, &mut looking].into_iter().zip(&mut one) {
            let start = Instant::now();
            assert_eq!(worker.get(&honest.url("/hello")).await.text(), "hello");
            times.push(start.elapsed());
        }
    }
    let [plain, looking] = one.map(median);
    let report = format!(
        "passing {:.0} MiB/s, scrubbing {:.0} MiB/s, preparing a token and a proof {prepare:?}, \
         a small request {plain:?} without and {looking:?} with a credential\n",
        rate(passing),
        rate(scrubbing)
    );
    std::io::stderr().write_all(report.as_bytes()).unwrap();
}

/// Text that looks like a token: three parts of base64url.
fn token(length: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |n: usize| char::from(DIGITS[(n * 7919 % 64) ^ (n * n % 61)]);
    (0..length).map(|n| if n % 300 == 299 { '.' } else { digit(n) }).collect()
}

async fn download(worker: &mut Worker, honest: &Honest) -> Duration {
    let asked = request(Method::GET, &honest.url(&format!("/big/{BYTES}")));
    let start = Instant::now();
    let mut body = worker.start(asked).await.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(read, BYTES);
    start.elapsed()
}

async fn upload(worker: &mut Worker, honest: &Honest, content: Bytes) -> Duration {
    let asked = with_body(request(Method::POST, &honest.url("/count")), content);
    let start = Instant::now();
    let answer = worker.send(asked).await;
    assert_eq!(answer.text(), BYTES.to_string());
    start.elapsed()
}

fn curl_download(honest: &Honest) -> Duration {
    let url = format!("http://127.0.0.1:{}/big/{BYTES}", honest.server.port());
    let start = Instant::now();
    let mut curl = std::process::Command::new("curl");
    assert!(curl.args(["-s", "-o", "/dev/null", &url]).status().unwrap().success());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn rate(time: Duration) -> f64 {
    BYTES as f64 / time.as_secs_f64() / f64::from(1 << 20)
}

fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
