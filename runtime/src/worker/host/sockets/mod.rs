//! The guest's `wasi:sockets`: outgoing TCP through the gate, and nothing else.
//!
//! The worker has no sockets. A name is not looked up: it gets an address that means nothing outside
//! this store, so a denied name causes no packet, and connecting to that address asks the gate for
//! the name. The gate decides, records, resolves and dials. Listening and datagrams are refused and
//! recorded here, because they never reach it.

mod error;
mod names;
mod stream;
mod tcp;
mod udp;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::{
    instance_network, ip_name_lookup, network, tcp as wasi_tcp, tcp_create_socket, udp as wasi_udp,
    udp_create_socket,
};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, SocketResult, subscribe};
use writ_broker::{Limits, codes};

use self::names::Names;
use super::egress::EgressClient;
use super::refuse::{never, refuse};
use crate::record::Recorder;

/// One store's sockets.
pub struct GuestSockets {
    egress: EgressClient,
    recorder: Arc<dyn Recorder>,
    names: Names,
    longest: Duration,
}

impl GuestSockets {
    /// Lets a guest connect through `egress`, each connection made within `limits.http_ms`.
    pub fn new(egress: EgressClient, recorder: Arc<dyn Recorder>, limits: &Limits) -> Self {
        let longest = Duration::from_millis(limits.http_ms);
        Self { egress, recorder, names: Names::default(), longest }
    }

    /// Records that the guest wanted a kind of socket that nobody gets.
    fn refuse_socket(&self, target: String, reason: &str) -> network::ErrorCode {
        refuse(self.recorder.as_ref(), never(codes::SOCKET, "socket", target, reason));
        network::ErrorCode::AccessDenied
    }
}

impl std::fmt::Debug for GuestSockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestSockets").field("names", &self.names).finish_non_exhaustive()
    }
}

/// One store's sockets, borrowed for one call.
pub struct SocketsView<'a> {
    /// The sockets' own state.
    pub sockets: &'a mut GuestSockets,
    /// The store's handles.
    pub table: &'a mut ResourceTable,
}

struct GatedSockets;

impl HasData for GatedSockets {
    type Data<'a> = SocketsView<'a>;
}

/// Adds `wasi:sockets` to a linker.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> SocketsView<'_>,
) -> wasmtime::Result<()> {
    let options = network::LinkOptions::default();
    network::add_to_linker::<T, GatedSockets>(linker, &options, get)?;
    instance_network::add_to_linker::<T, GatedSockets>(linker, get)?;
    ip_name_lookup::add_to_linker::<T, GatedSockets>(linker, get)?;
    tcp_create_socket::add_to_linker::<T, GatedSockets>(linker, get)?;
    wasi_tcp::add_to_linker::<T, GatedSockets>(linker, get)?;
    udp_create_socket::add_to_linker::<T, GatedSockets>(linker, get)?;
    wasi_udp::add_to_linker::<T, GatedSockets>(linker, get)
}

/// What stands behind a `network` handle: nothing, each connection is decided by itself.
struct Network;

/// The answer to one name.
struct Addresses(std::vec::IntoIter<IpAddr>);

#[wasmtime_wasi::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {}
}

/// Returns a handle under the type that our table has for it.
///
/// The bindings name wasmtime's own types, which cannot be made outside that crate; a handle is a
/// number, and the table checks the type of what is behind it.
fn ours<Theirs: 'static, Ours: 'static>(handle: &Resource<Theirs>) -> Resource<Ours> {
    Resource::new_borrow(handle.rep())
}

/// Returns a new handle under the type that the bindings have for it.
fn theirs<Ours: 'static, Theirs: 'static>(handle: &Resource<Ours>) -> Resource<Theirs> {
    Resource::new_own(handle.rep())
}

impl SocketsView<'_> {
    /// Drops what is behind a handle.
    fn delete<Theirs: 'static, Ours: 'static>(
        &mut self,
        handle: &Resource<Theirs>,
    ) -> wasmtime::Result<Ours> {
        Ok(self.table.delete(Resource::<Ours>::new_own(handle.rep()))?)
    }
}

impl instance_network::Host for SocketsView<'_> {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<network::Network>> {
        Ok(theirs(&self.table.push(Network)?))
    }
}

impl network::Host for SocketsView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<network::ErrorCode> {
        error.downcast()
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<network::ErrorCode>> {
        let error = self.table.get(&error)?.downcast_ref::<std::io::Error>();
        Ok(error.map(network::ErrorCode::from))
    }
}

impl network::HostNetwork for SocketsView<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        self.delete::<_, Network>(&network).map(drop)
    }
}

impl ip_name_lookup::Host for SocketsView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<network::Network>,
        name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        self.table.get(&ours::<_, Network>(&network))?;
        let address = self.sockets.look_up(&name)?;
        let answer = self.table.push(Addresses(vec![address].into_iter()))?;
        Ok(theirs(&answer))
    }
}

impl ip_name_lookup::HostResolveAddressStream for SocketsView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<network::IpAddress>> {
        let answer = self.table.get_mut(&ours::<_, Addresses>(&stream))?;
        Ok(answer.0.next().map(Into::into))
    }

    fn subscribe(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, ours::<_, Addresses>(&stream))
    }

    fn drop(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<()> {
        self.delete::<_, Addresses>(&stream).map(drop)
    }
}

#[cfg(test)]
mod tests;
