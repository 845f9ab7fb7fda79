//! Datagrams: nobody gets a socket for them, so nothing can be asked of one.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    self, IncomingDatagram, IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
    UdpSocket,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{DynPollable, SocketError, SocketResult};

use super::SocketsView;

impl udp_create_socket::Host for SocketsView<'_> {
    async fn create_udp_socket(
        &mut self,
        _family: IpAddressFamily,
    ) -> SocketResult<Resource<UdpSocket>> {
        let reason = "datagram sockets are not offered";
        Err(self.sockets.refuse_socket("udp".to_owned(), reason).into())
    }
}

/// A handle to a socket that was never made can only be a fault of ours: trap.
fn none<T>() -> wasmtime::Result<T> {
    wasmtime::bail!("there is no datagram socket")
}

fn no_socket<T>() -> SocketResult<T> {
    none().map_err(SocketError::trap)
}

impl udp::Host for SocketsView<'_> {}

type Socket = Resource<UdpSocket>;

impl udp::HostUdpSocket for SocketsView<'_> {
    async fn start_bind(
        &mut self,
        _: Socket,
        _: Resource<Network>,
        _: IpSocketAddress,
    ) -> SocketResult<()> {
        no_socket()
    }

    fn finish_bind(&mut self, _: Socket) -> SocketResult<()> {
        no_socket()
    }

    async fn stream(
        &mut self,
        _: Socket,
        _: Option<IpSocketAddress>,
    ) -> SocketResult<(Resource<IncomingDatagramStream>, Resource<OutgoingDatagramStream>)> {
        no_socket()
    }

    fn local_address(&mut self, _: Socket) -> SocketResult<IpSocketAddress> {
        no_socket()
    }

    fn remote_address(&mut self, _: Socket) -> SocketResult<IpSocketAddress> {
        no_socket()
    }

    fn address_family(&mut self, _: Socket) -> wasmtime::Result<IpAddressFamily> {
        none()
    }

    fn unicast_hop_limit(&mut self, _: Socket) -> SocketResult<u8> {
        no_socket()
    }

    fn set_unicast_hop_limit(&mut self, _: Socket, _: u8) -> SocketResult<()> {
        no_socket()
    }

    fn receive_buffer_size(&mut self, _: Socket) -> SocketResult<u64> {
        no_socket()
    }

    fn set_receive_buffer_size(&mut self, _: Socket, _: u64) -> SocketResult<()> {
        no_socket()
    }

    fn send_buffer_size(&mut self, _: Socket) -> SocketResult<u64> {
        no_socket()
    }

    fn set_send_buffer_size(&mut self, _: Socket, _: u64) -> SocketResult<()> {
        no_socket()
    }

    fn subscribe(&mut self, _: Socket) -> wasmtime::Result<Resource<DynPollable>> {
        none()
    }

    fn drop(&mut self, _: Socket) -> wasmtime::Result<()> {
        none()
    }
}

impl udp::HostIncomingDatagramStream for SocketsView<'_> {
    fn receive(
        &mut self,
        _: Resource<IncomingDatagramStream>,
        _: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        no_socket()
    }

    fn subscribe(
        &mut self,
        _: Resource<IncomingDatagramStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        none()
    }

    fn drop(&mut self, _: Resource<IncomingDatagramStream>) -> wasmtime::Result<()> {
        none()
    }
}

impl udp::HostOutgoingDatagramStream for SocketsView<'_> {
    fn check_send(&mut self, _: Resource<OutgoingDatagramStream>) -> SocketResult<u64> {
        no_socket()
    }

    fn send(
        &mut self,
        _: Resource<OutgoingDatagramStream>,
        _: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        no_socket()
    }

    fn subscribe(
        &mut self,
        _: Resource<OutgoingDatagramStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        none()
    }

    async fn drop(&mut self, _: Resource<OutgoingDatagramStream>) -> wasmtime::Result<()> {
        none()
    }
}
