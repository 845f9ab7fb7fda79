//! Names to addresses, once per connection, and only for names that the grant allows.

use super::failure::ErrorCase;
use super::tasks::Tasks;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::{RuntimeProvider, Spawn, TokioRuntimeProvider, TokioTime};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Hosts, Resolver, config, system_conf};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::UdpSocket;

/// The most addresses of one name that are looked at; a name with more is refused as a whole.
const MAX_ADDRESSES: usize = 64;

/// What the resolvers of all tasks of one process share: configuration, never answers.
pub(super) struct DnsSetup {
    config: ResolverConfig,
    options: ResolverOpts,
    hosts: Arc<Hosts>,
}

impl DnsSetup {
    /// Reads the system's configuration, or names one server instead of it.
    pub(super) fn load(name_server: Option<SocketAddr>) -> Result<Self, NetError> {
        let (servers, mut options) = match name_server {
            Some(address) => (vec![server(address)], ResolverOpts::default()),
            None => {
                let (system, options) = system_conf::read_system_conf()?;
                (system.name_servers().to_vec(), options)
            }
        };
        // No domain and no search list: the name that was decided is the name that is asked for.
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        options.ip_strategy = config::LookupIpStrategy::Ipv4AndIpv6;
        // An answer serves the one connection that it was checked for.
        options.cache_size = 0;
        options.use_hosts_file = config::ResolveHosts::Never;
        options.timeout = options.timeout.min(Duration::from_secs(5));
        Ok(Self { config, options, hosts: Arc::new(Hosts::from_system().unwrap_or_default()) })
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// The resolver of one task; its sockets are closed with the task's.
pub(super) struct TaskResolver {
    resolver: OnceLock<Resolver<TaskRuntime>>,
    tasks: Tasks,
}

impl TaskResolver {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { resolver: OnceLock::new(), tasks }
    }

    /// Asks for all addresses of an absolute name, IPv4 and IPv6.
    pub(super) async fn addresses(
        &self,
        setup: &DnsSetup,
        name: &str,
    ) -> Result<Vec<IpAddr>, ErrorCase> {
        let mut name = Name::from_ascii(name).map_err(|_| ErrorCase::DnsError)?;
        name.set_fqdn(true);
        let resolver = self.resolver(setup)?;
        let answer = resolver.lookup_ip(name).await.map_err(|error| case(&error))?;
        let addresses: Vec<IpAddr> = answer.iter().take(MAX_ADDRESSES + 1).collect();
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            return Err(ErrorCase::DnsError);
        }
        Ok(addresses)
    }

    fn resolver(&self, setup: &DnsSetup) -> Result<&Resolver<TaskRuntime>, ErrorCase> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let runtime =
            TaskRuntime { tasks: self.tasks.clone(), sockets: TokioRuntimeProvider::new() };
        let mut made = Resolver::builder_with_config(setup.config.clone(), runtime)
            .with_options(setup.options.clone())
            .build()
            .map_err(|_| ErrorCase::ConfigurationError)?;
        made.set_hosts(Arc::clone(&setup.hosts));
        Ok(self.resolver.get_or_init(|| made))
    }
}

fn case(error: &NetError) -> ErrorCase {
    match error {
        NetError::Timeout => ErrorCase::DnsTimeout,
        _ => ErrorCase::DnsError,
    }
}

/// Hickory's tokio runtime, with its background futures among the task's own.
#[derive(Clone)]
struct TaskRuntime {
    tasks: Tasks,
    sockets: TokioRuntimeProvider,
}

#[derive(Clone)]
struct TaskSpawner(Tasks);

impl Spawn for TaskSpawner {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }
}

type Opening<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

impl RuntimeProvider for TaskRuntime {
    type Handle = TaskSpawner;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        TaskSpawner(self.tasks.clone())
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.sockets.connect_tcp(server, bind, timeout)
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        self.sockets.bind_udp(local, server)
    }
}
