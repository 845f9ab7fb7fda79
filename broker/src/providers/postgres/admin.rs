//! The connection of the admin role.

use super::super::error::ProviderError;
use super::super::tls::LazyTls;
use super::tls::Tls;
use std::net::IpAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::FromSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one of our statements may wait for a lock, and how long it may run, so that a session
/// which holds locks cannot hold us.
const BOUNDS: &str = "SET lock_timeout = '3s'; SET statement_timeout = '15s'; \
    SET idle_in_transaction_session_timeout = '15s'; SET search_path = pg_catalog";

/// One connection for one piece of work.
pub(super) struct Admin {
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Admin {
    /// Connects; `name` is what other admin sessions can find this one by.
    pub(super) async fn connect(
        config: &Config,
        tls: &LazyTls,
        name: &str,
    ) -> Result<Self, ProviderError> {
        let mut config = config.clone();
        config.application_name(name).connect_timeout(CONNECT);
        let admin = if is_local(&config) {
            let (client, connection) = config.connect(NoTls).await.map_err(failure)?;
            Self { client, driver: tokio::spawn(async move { drop(connection.await) }) }
        } else {
            encrypt(&mut config)?;
            let (client, connection) = config.connect(Tls(tls.config()?)).await.map_err(failure)?;
            Self { client, driver: tokio::spawn(async move { drop(connection.await) }) }
        };
        admin.run(BOUNDS).await?;
        Ok(admin)
    }

    /// Runs statements that return nothing.
    pub(super) async fn run(&self, sql: &str) -> Result<(), ProviderError> {
        self.client.batch_execute(sql).await.map_err(failure)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Reports whether nothing of a connection leaves the machine, so that it needs no TLS.
fn is_local(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    let local = |host: &Host| match host {
        Host::Tcp(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    };
    let wanted = config.get_ssl_mode() == SslMode::Require;
    !wanted
        && addresses.iter().all(IpAddr::is_loopback)
        && (!addresses.is_empty() || config.get_hosts().iter().all(local))
}

/// Demands TLS, which the client library would otherwise only prefer.
fn encrypt(config: &mut Config) -> Result<(), ProviderError> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Err(ProviderError::never(
            "the connection string turns TLS off for a database on another machine; remove sslmode",
        ));
    }
    config.ssl_mode(SslMode::Require);
    Ok(())
}

/// Where a lease's role can log in.
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
}

/// Reads the place out of a connection string, which must name exactly one.
pub(super) fn place(config: &Config) -> Result<Place, ProviderError> {
    let host = match config.get_hosts() {
        [Host::Tcp(name)] => name.clone(),
        [Host::Unix(path)] => path.display().to_string(),
        _ => {
            return Err(ProviderError::never("the connection string has to name exactly one host"));
        }
    };
    let database = config.get_dbname().ok_or_else(|| {
        ProviderError::never("the connection string has to name the database: add dbname=…")
    })?;
    let port = config.get_ports().first().copied().unwrap_or(5432);
    Ok(Place { host, port, database: database.to_owned() })
}

/// Reads a value of an answer. What answers may only speak the protocol of PostgreSQL and have other
/// types than it: that is no reason to fall over.
pub(super) fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, ProviderError> {
    row.try_get(at).map_err(|_| {
        ProviderError::never("the database does not answer as PostgreSQL does; name it directly")
    })
}

/// Says what to do about a failure. The server's text is left out, for it can quote our statement.
pub(super) fn failure(error: Error) -> ProviderError {
    let Some(code) = error.code() else {
        // The library keeps its kinds of errors to itself, but not their names.
        if error.to_string().starts_with("error performing TLS handshake") {
            return ProviderError::later(
                "TLS with the database failed; name its authority with ca, or use its Unix socket",
            );
        }
        return ProviderError::later("the database cannot be reached");
    };
    let (class, code) = (code.code().get(..2).unwrap_or_default().to_owned(), code.code());
    let why = format!("the database answered with SQLSTATE {code}");
    match class.as_str() {
        // Connection, resources, operator intervention, system error, transaction rollback.
        "08" | "53" | "57" | "58" | "40" => ProviderError::later(why),
        // A lock that was not to be had, an object in use.
        "55" => ProviderError::Later { after: Some(Duration::from_secs(1)), why },
        "28" => ProviderError::never(format!("{why}: the admin role may not log in")),
        "3D" => ProviderError::never(format!("{why}: there is no such database")),
        _ if code == SqlState::INSUFFICIENT_PRIVILEGE.code() => ProviderError::never(format!(
            "{why}: the admin role needs CREATEROLE, and the role it gives away WITH ADMIN OPTION"
        )),
        _ => ProviderError::never(why),
    }
}
