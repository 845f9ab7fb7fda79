//! Honest bodies, big ones, both ways.

use super::Bed;

#[test]
fn a_big_upload_is_streamed() {
    let bed = Bed::new();
    let url = bed.url("/count");
    let words = [&*url, "--method", "POST", "--body-bytes", "12000000", "--show"];
    let verdict = bed.ask(&words);
    verdict.worked("text 12000000");
    assert!(verdict.report["usage"]["bytes_out"].as_u64().unwrap() >= 12_000_000);
    assert!(verdict.report["usage"]["memory_peak_bytes"].as_u64().unwrap() < 8 << 20);
}

#[test]
fn a_big_download_is_streamed() {
    let bed = Bed::new();
    let verdict = bed.ask(&[&bed.url("/big/48000000")]);
    verdict.worked("body 48000000 bytes");
    assert!(verdict.report["usage"]["bytes_in"].as_u64().unwrap() >= 48_000_000);
    assert!(verdict.report["usage"]["memory_peak_bytes"].as_u64().unwrap() < 8 << 20);
}

#[test]
fn trailers_pass_both_ways_without_what_only_the_gate_may_say() {
    let bed = Bed::new();
    let down = bed.ask(&[&bed.url("/trailers"), "-H", "te:trailers"]);
    down.worked("trailer x-checksum: 42");
    assert!(!down.stdout().contains("writ-gate-error: "), "{down:#?}");
    let url = bed.url("/echo");
    let words = [
        &*url,
        "--method",
        "POST",
        "--body-bytes",
        "10",
        "-H",
        "te:trailers",
        "-H",
        "trailer:x-digest, authorization",
        "--trailer",
        "x-digest:7",
        "--trailer",
        "authorization:Bearer smuggled",
    ];
    let up = bed.ask(&words);
    up.worked("trailer x-digest: 7");
    assert!(!up.stdout().contains("trailer authorization"), "{up:#?}");
}

#[test]
fn a_body_that_is_not_read_to_its_end_is_dropped() {
    let bed = Bed::new();
    let verdict = bed.ask(&[&bed.url("/big/1000000000"), "--read-bytes", "1000", "--times", "3"]);
    verdict.worked("the rest dropped");
    assert!(verdict.report["usage"]["bytes_in"].as_u64().unwrap() < 64 << 20);
    bed.still_works();
}
