//! A TCP connection that the grant names, behind `CONNECT`.

use super::check::Allowed;
use super::dial;
use super::failure::{ErrorCase, Failure};
use super::link::Link;
use super::meter::Meter;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use writ_broker::{Decision, TcpAsk};

/// What one direction of a tunnel holds in the host, bytes.
const BUFFER: usize = 64 << 10;

/// Opens a tunnel; it runs on when this returns, until both ends are closed or the task ends.
pub(super) async fn open(link: &Link, ask: TcpAsk, guest: OnUpgrade) -> Result<(), Failure> {
    let target = ask.authority.to_string();
    let rule = match link.meter.grant().decide_tcp(&ask) {
        Decision::Allow(rule) => rule,
        Decision::Forbid(refusal) => return Err(link.meter.refuse(refusal)),
    };
    let allowed = Allowed { what: "tcp", target: &target, authority: &ask.authority, rule };
    let time = Duration::from_millis(link.meter.limits().http_ms);
    link.meter.allow(allowed.what, &target);
    let opening = async {
        let addresses = allowed.addresses(link).await?;
        dial::connect(&addresses).await.map_err(Failure::Upstream)
    };
    let upstream = tokio::time::timeout(time, opening)
        .await
        .unwrap_or(Err(Failure::Upstream(ErrorCase::ConnectionTimeout)))?;
    let meter = Arc::clone(&link.meter);
    let running = link.tasks.spawn(async move {
        if let Ok(guest) = guest.await {
            drop(run(&meter, TokioIo::new(guest), upstream).await);
        }
    });
    running.map(drop).ok_or(Failure::Cancelled)
}

async fn run(
    meter: &Meter,
    guest: impl AsyncRead + AsyncWrite,
    mut upstream: TcpStream,
) -> io::Result<()> {
    let (guest_reads, guest_writes) = tokio::io::split(guest);
    let (upstream_reads, upstream_writes) = upstream.split();
    let out = copy(guest_reads, upstream_writes, |bytes| meter.send(bytes));
    let back = copy(upstream_reads, guest_writes, |bytes| meter.receive(bytes));
    tokio::try_join!(out, back).map(drop)
}

/// Copies one direction and then closes it; the other may go on.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: impl Fn(u64) -> Result<(), Failure>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let over = |_| io::Error::from(io::ErrorKind::QuotaExceeded);
        count(read as u64).map_err(over)?;
        let part = buffer.get(..read).unwrap_or_default();
        to.write_all(part).await?;
    }
}
