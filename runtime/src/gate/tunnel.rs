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

/// How long a direction waits before it looks whether the other end is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Opens a tunnel; it runs on when this returns, until both ends are closed or the task ends.
pub(super) async fn open(link: &Link, ask: TcpAsk, guest: OnUpgrade) -> Result<(), Failure> {
    let target = ask.authority.to_string();
    let rule = match link.meter.grant().decide_tcp(&ask) {
        Decision::Allow(rule) => rule,
        Decision::Forbid(refusal) => return Err(link.meter.refuse(refusal)),
    };
    let allowed = Allowed { what: "tcp", target: &target, authority: &ask.authority, rule };
    let time = Duration::from_millis(link.meter.limits().http_ms);
    let opening = async {
        link.meter.admit(allowed.what, &target).await?;
        // Waits for another tunnel to close: one that the guest has reset counts until it is noticed.
        let room =
            Arc::clone(&link.tunnels).acquire_owned().await.map_err(|_| Failure::Cancelled)?;
        let addresses = allowed.addresses(link).await?;
        let upstream = dial::connect(&addresses).await.map_err(Failure::Upstream)?;
        Ok::<_, Failure>((upstream, room))
    };
    let (upstream, room) = tokio::time::timeout(time, opening)
        .await
        .unwrap_or(Err(Failure::Upstream(ErrorCase::ConnectionTimeout)))?;
    let meter = Arc::clone(&link.meter);
    let running = link.tasks.spawn(async move {
        if let Ok(guest) = guest.await {
            drop(run(&meter, TokioIo::new(guest), upstream).await);
        }
        drop(room);
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
///
/// A guest's reset is seen only by who reads from it or writes to it, and one direction may be stuck
/// because the upstream takes nothing while the other waits because it says nothing. So the end that
/// waits is flushed now and then, which fails once the guest is gone.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: impl Fn(u64) -> Result<(), Failure>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let Ok(read) = tokio::time::timeout(LOOK, from.read(&mut buffer)).await else {
            to.flush().await?;
            continue;
        };
        let read = read?;
        if read == 0 {
            return to.shutdown().await;
        }
        let over = |_| io::Error::from(io::ErrorKind::QuotaExceeded);
        count(read as u64).map_err(over)?;
        let part = buffer.get(..read).unwrap_or_default();
        to.write_all(part).await?;
    }
}
