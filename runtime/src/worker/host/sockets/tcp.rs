//! One outgoing connection: a socket until it connects, a tunnel through the gate from then on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::RwLock;
use tokio::time::timeout;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, Pollable, SocketResult};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::Error;

use super::stream::{Ends, Incoming, Outgoing};
use super::{GuestSockets, SocketsView, error, theirs};
use crate::worker::host::egress::Tunnel;

mod host;

/// A socket of the guest.
pub(super) struct Socket {
    family: IpAddressFamily,
    state: State,
    options: Options,
}

enum State {
    New,
    Connecting { to: SocketAddr, pending: AbortOnDropJoinHandle<Result<Tunnel, Error>> },
    Answered { to: SocketAddr, answer: Result<Tunnel, Error> },
    Open { to: SocketAddr, ends: Arc<Ends> },
    Closed,
}

/// What a guest may set and read back. The real socket belongs to the gate, which keeps its own.
struct Options {
    keep_alive: bool,
    keep_alive_idle: u64,
    keep_alive_interval: u64,
    keep_alive_count: u32,
    hop_limit: u8,
    receive_buffer: u64,
    send_buffer: u64,
}

impl Default for Options {
    /// The defaults of Linux.
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self {
            keep_alive: false,
            keep_alive_idle: 7200 * SECOND,
            keep_alive_interval: 75 * SECOND,
            keep_alive_count: 9,
            hop_limit: 64,
            receive_buffer: 128 * 1024,
            send_buffer: 128 * 1024,
        }
    }
}

impl tcp_create_socket::Host for SocketsView<'_> {
    /// A socket that is not connected is only a handle, so there is nothing to decide yet.
    fn create_tcp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> SocketResult<Resource<tcp_create_socket::TcpSocket>> {
        let socket = Socket { family, state: State::New, options: Options::default() };
        Ok(theirs(&self.table.push(socket)?))
    }
}

impl Socket {
    /// Asks the gate for a connection.
    fn start_connect(&mut self, to: SocketAddr, sockets: &GuestSockets) -> Result<(), ErrorCode> {
        match self.state {
            State::New => {}
            State::Connecting { .. } | State::Answered { .. } => {
                return Err(ErrorCode::ConcurrencyConflict);
            }
            State::Open { .. } | State::Closed => return Err(ErrorCode::InvalidState),
        }
        let same_family = to.is_ipv4() == matches!(self.family, IpAddressFamily::Ipv4);
        if !same_family || to.port() == 0 || to.ip().is_unspecified() {
            return Err(ErrorCode::InvalidArgument);
        }
        let (egress, target) = (sockets.egress.clone(), sockets.names.target(to));
        let longest = sockets.longest;
        let pending = spawn(async move {
            timeout(longest, egress.tunnel(&target)).await.unwrap_or(Err(Error::ConnectionTimeout))
        });
        self.state = State::Connecting { to, pending };
        Ok(())
    }

    fn finish_connect(
        &mut self,
        open: Arc<RwLock<()>>,
    ) -> Result<(DynInputStream, DynOutputStream), ErrorCode> {
        let mut cx = Context::from_waker(Waker::noop());
        if self.poll_answer(&mut cx).is_pending() {
            return Err(ErrorCode::WouldBlock);
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Answered { to, answer: Ok(tunnel) } => {
                let ends = Ends::new(tunnel, open);
                let input = Box::new(Incoming(Arc::clone(&ends)));
                let output = Box::new(Outgoing(Arc::clone(&ends)));
                self.state = State::Open { to, ends };
                Ok((input, output))
            }
            State::Answered { answer: Err(error), .. } => Err(error::from_gate(&error)),
            other => {
                self.state = other;
                Err(ErrorCode::NotInProgress)
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Connecting { to, pending } = &mut self.state {
            let answer = std::task::ready!(Pin::new(pending).poll(cx));
            self.state = State::Answered { to: *to, answer };
        }
        Poll::Ready(())
    }

    fn remote(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Open { to, .. } => Ok(*to),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Returns no address: where the host dials from is not the guest's business.
    fn local(&self) -> Result<SocketAddr, ErrorCode> {
        let none = match self.family {
            IpAddressFamily::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddressFamily::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.remote().map(|_| SocketAddr::new(none, 0))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Socket {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll_answer(cx)).await;
    }
}
