//! The functions of `wasi:sockets/tcp`.

use std::net::SocketAddr;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, Duration, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, SocketResult, subscribe};

use super::{Socket, SocketsView, State};
use crate::worker::host::sockets::{self, ours};

type Handle = Resource<TcpSocket>;

impl SocketsView<'_> {
    fn socket(&self, handle: &Handle) -> SocketResult<&Socket> {
        Ok(self.table.get(&ours::<_, Socket>(handle))?)
    }

    fn socket_mut(&mut self, handle: &Handle) -> SocketResult<&mut Socket> {
        Ok(self.table.get_mut(&ours::<_, Socket>(handle))?)
    }

    /// Sets an option that must not be zero.
    fn set<N: PartialEq + Default>(
        &mut self,
        handle: &Handle,
        value: N,
        option: fn(&mut Socket) -> &mut N,
    ) -> SocketResult<()> {
        if value == N::default() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        *option(self.socket_mut(handle)?) = value;
        Ok(())
    }
}

impl tcp::Host for SocketsView<'_> {}

impl tcp::HostTcpSocket for SocketsView<'_> {
    fn start_connect(
        &mut self,
        handle: Handle,
        network: Resource<Network>,
        to: IpSocketAddress,
    ) -> SocketResult<()> {
        self.table.get(&ours::<_, sockets::Network>(&network))?;
        let socket = self.table.get_mut(&ours::<_, Socket>(&handle))?;
        Ok(socket.start_connect(to.into(), self.sockets)?)
    }

    fn finish_connect(
        &mut self,
        handle: Handle,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let open = self.sockets.egress.open_tunnels();
        let (input, output) = self.socket_mut(&handle)?.finish_connect(open)?;
        let socket = ours::<_, Socket>(&handle);
        Ok((self.table.push_child(input, &socket)?, self.table.push_child(output, &socket)?))
    }

    async fn start_bind(
        &mut self,
        handle: Handle,
        _network: Resource<Network>,
        to: IpSocketAddress,
    ) -> SocketResult<()> {
        self.socket(&handle)?;
        let target = format!("tcp {}", SocketAddr::from(to));
        Err(self.sockets.refuse_socket(target, "sockets only connect; they do not listen").into())
    }

    fn finish_bind(&mut self, handle: Handle) -> SocketResult<()> {
        self.socket(&handle)?;
        Err(ErrorCode::NotInProgress.into())
    }

    async fn start_listen(&mut self, handle: Handle) -> SocketResult<()> {
        self.socket(&handle)?;
        let reason = "sockets only connect; they do not listen";
        Err(self.sockets.refuse_socket("tcp listen".to_owned(), reason).into())
    }

    fn finish_listen(&mut self, handle: Handle) -> SocketResult<()> {
        self.finish_bind(handle)
    }

    fn accept(
        &mut self,
        handle: Handle,
    ) -> SocketResult<(Handle, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        self.socket(&handle)?;
        Err(ErrorCode::InvalidState.into())
    }

    fn local_address(&mut self, handle: Handle) -> SocketResult<IpSocketAddress> {
        Ok(self.socket(&handle)?.local()?.into())
    }

    fn remote_address(&mut self, handle: Handle) -> SocketResult<IpSocketAddress> {
        Ok(self.socket(&handle)?.remote()?.into())
    }

    fn is_listening(&mut self, _handle: Handle) -> wasmtime::Result<bool> {
        Ok(false)
    }

    fn address_family(&mut self, handle: Handle) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&ours::<_, Socket>(&handle))?.family)
    }

    fn set_listen_backlog_size(&mut self, handle: Handle, _value: u64) -> SocketResult<()> {
        self.socket(&handle)?;
        Err(ErrorCode::NotSupported.into())
    }

    fn keep_alive_enabled(&mut self, handle: Handle) -> SocketResult<bool> {
        Ok(self.socket(&handle)?.options.keep_alive)
    }

    fn set_keep_alive_enabled(&mut self, handle: Handle, value: bool) -> SocketResult<()> {
        self.socket_mut(&handle)?.options.keep_alive = value;
        Ok(())
    }

    fn keep_alive_idle_time(&mut self, handle: Handle) -> SocketResult<Duration> {
        Ok(self.socket(&handle)?.options.keep_alive_idle)
    }

    fn set_keep_alive_idle_time(&mut self, handle: Handle, value: Duration) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.keep_alive_idle)
    }

    fn keep_alive_interval(&mut self, handle: Handle) -> SocketResult<Duration> {
        Ok(self.socket(&handle)?.options.keep_alive_interval)
    }

    fn set_keep_alive_interval(&mut self, handle: Handle, value: Duration) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.keep_alive_interval)
    }

    fn keep_alive_count(&mut self, handle: Handle) -> SocketResult<u32> {
        Ok(self.socket(&handle)?.options.keep_alive_count)
    }

    fn set_keep_alive_count(&mut self, handle: Handle, value: u32) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.keep_alive_count)
    }

    fn hop_limit(&mut self, handle: Handle) -> SocketResult<u8> {
        Ok(self.socket(&handle)?.options.hop_limit)
    }

    fn set_hop_limit(&mut self, handle: Handle, value: u8) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.hop_limit)
    }

    fn receive_buffer_size(&mut self, handle: Handle) -> SocketResult<u64> {
        Ok(self.socket(&handle)?.options.receive_buffer)
    }

    fn set_receive_buffer_size(&mut self, handle: Handle, value: u64) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.receive_buffer)
    }

    fn send_buffer_size(&mut self, handle: Handle) -> SocketResult<u64> {
        Ok(self.socket(&handle)?.options.send_buffer)
    }

    fn set_send_buffer_size(&mut self, handle: Handle, value: u64) -> SocketResult<()> {
        self.set(&handle, value, |socket| &mut socket.options.send_buffer)
    }

    fn subscribe(&mut self, handle: Handle) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, ours::<_, Socket>(&handle))
    }

    fn shutdown(&mut self, handle: Handle, which: ShutdownType) -> SocketResult<()> {
        let State::Open { ends, .. } = &self.socket(&handle)?.state else {
            return Err(ErrorCode::InvalidState.into());
        };
        if matches!(which, ShutdownType::Receive | ShutdownType::Both) {
            ends.shut_incoming();
        }
        if matches!(which, ShutdownType::Send | ShutdownType::Both) {
            ends.shut_outgoing();
        }
        Ok(())
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.delete::<_, Socket>(&handle).map(drop)
    }
}
