//! Names and the addresses that stand for them in one store.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use writ_broker::codes;
use writ_broker::host::Host;

use super::GuestSockets;
use crate::worker::host::refuse::{never, refuse};

/// The first address handed out, in 198.18.0.0/15 (RFC 2544), which is routed nowhere. The gate
/// refuses the range, so an address that stands for no name leads nowhere as well.
const FIRST: u32 = 0xC612_0001;

/// How many names one store may use; more would only cost memory.
const MOST_NAMES: usize = 1024;

/// The names that a guest asked for, each with its address.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: HashMap<String, u32>,
    in_order: Vec<String>,
}

impl Names {
    /// Returns the address of a canonical name, always the same one, or `None` if there are too many.
    pub(super) fn address_of(&mut self, name: &str) -> Option<IpAddr> {
        if let Some(index) = self.by_name.get(name) {
            return Some(address(*index));
        }
        if self.in_order.len() == MOST_NAMES {
            return None;
        }
        let index = u32::try_from(self.in_order.len()).ok()?;
        self.by_name.insert(name.to_owned(), index);
        self.in_order.push(name.to_owned());
        Some(address(index))
    }

    /// Returns what the gate shall be asked for when the guest connects to an address.
    pub(super) fn target(&self, to: SocketAddr) -> String {
        match self.name_at(to.ip()) {
            Some(name) => format!("{name}:{}", to.port()),
            None => match to.ip() {
                IpAddr::V4(address) => format!("{address}:{}", to.port()),
                IpAddr::V6(address) => format!("[{address}]:{}", to.port()),
            },
        }
    }

    fn name_at(&self, address: IpAddr) -> Option<&str> {
        let IpAddr::V4(address) = address else { return None };
        let index = address.to_bits().checked_sub(FIRST)?;
        self.in_order.get(usize::try_from(index).ok()?).map(String::as_str)
    }
}

fn address(index: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST + index))
}

impl GuestSockets {
    /// Answers a look-up. Whether the name may be reached is decided when the guest connects.
    pub(super) fn look_up(&mut self, name: &str) -> Result<IpAddr, ErrorCode> {
        if let Ok(literal) = name.parse::<IpAddr>() {
            return Ok(literal);
        }
        match Host::parse(name) {
            Ok(Host::Address(address)) => Ok(address),
            Ok(Host::Name(name)) => {
                self.names.address_of(&name).ok_or(ErrorCode::TemporaryResolverFailure)
            }
            Err(error) => {
                let reason = error.to_string();
                let refusal = never(codes::AMBIGUOUS, "tcp", name.to_owned(), &reason);
                refuse(self.recorder.as_ref(), refusal);
                Err(ErrorCode::InvalidArgument)
            }
        }
    }
}
