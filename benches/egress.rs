//! (d) A large body through the gate, against curl to the same server.

use crate::host::{guest, home, writ};
use crate::table::Table;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BODY: usize = 64 * 1024 * 1024;
const RUNS: usize = 7;

pub(crate) fn run(table: &mut Table) {
    let address = serve();
    let fetch = |size: usize| {
        let mut command = Command::new(writ());
        let url = format!("http://{address}/{size}");
        command.arg("run").arg(guest("guests", "http"));
        command.args(["--dangerous-loopback", "--http", &format!("GET {url}")]);
        command.args(["--limit", "bytes_in=128MiB", "--", "get", &url]);
        command.env("WRIT_CACHE_DIR", home().join("cold"));
        command.env("WRIT_STATE_DIR", home().join("state"));
        command
    };
    let curl = || {
        let mut command = Command::new("curl");
        command.args(["-sS", "-o", "/dev/null", &format!("http://{address}/{BODY}")]);
        command
    };
    let (mut small, mut large, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        small.push(measure(fetch(1)));
        large.push(measure(fetch(BODY)));
        theirs.push(measure(curl()));
    }
    let (small, large, theirs) = (middle(small), middle(large), middle(theirs));
    // The transfer alone: starting a process is another row.
    let ours = large.0.saturating_sub(small.0);
    let rate = |time: Duration| BODY as f64 / time.as_secs_f64() / 1e6;
    let ratio = rate(ours) / rate(theirs.0);
    table.row(
        "(d) 64 MiB through the gate into a guest",
        format!("{:.0} MB/s", rate(ours)),
        format!("curl {:.0} MB/s", rate(theirs.0)),
        format!("{ratio:.2}×"),
        "≥ 0.5×",
        Some(ratio >= 0.5),
    );
    let more = large.1.saturating_sub(small.1);
    table.row(
        "(d) memory that it takes in the host",
        format!("+{:.1} MiB", more as f64 / 1024.0),
        format!("{:.1} MiB with an empty body", small.1 as f64 / 1024.0),
        "",
        "≤ +32 MiB",
        Some(more <= 32 * 1024),
    );
}

/// Runs a command; returns its time and the most memory that it held, KiB.
fn measure(mut command: Command) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().expect("curl and writ can be started");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // The kernel forgets the peak with the process, so it is read while the process lives.
    while child.try_wait().unwrap().is_none() {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = size.unwrap_or(0).max(peak);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    assert!(child.wait().unwrap().success());
    (start.elapsed(), peak)
}

fn middle(mut runs: Vec<(Duration, u64)>) -> (Duration, u64) {
    runs.sort();
    runs[runs.len() / 2]
}

/// A server that answers `/SIZE` with that many bytes, as fast as a socket takes them.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let block = vec![b'x'; 1024 * 1024];
        for stream in listener.incoming() {
            // A client that went away is no reason to stop serving the others.
            let _ = answer(stream.unwrap(), &block);
        }
    });
    address
}

fn answer(mut stream: TcpStream, block: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
    let size: usize = path.parse().unwrap_or(0);
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n")?;
    let mut left = size;
    while left > 0 {
        let piece = left.min(block.len());
        stream.write_all(&block[..piece])?;
        left -= piece;
    }
    Ok(())
}
