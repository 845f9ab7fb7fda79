#![expect(clippy::unwrap_used, reason = "a test may fail")]
//! A real server, and real sessions that do not want to end.

use super::super::{Provider, Source};
use super::*;
use crate::id::{LeaseId, TaskId};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio_postgres::Client;
use writ_test_support::Postgres as Cluster;

mod crash;
mod lease;
mod revoke;

/// A time that no server's clock has reached.
const NOW: UnixMillis = UnixMillis(4_000_000_000_000);

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A database with a table, a role that may read it, and an admin that may give that role away.
struct Bed {
    cluster: &'static Cluster,
    number: u64,
    database: String,
    dir: TempDir,
    superuser: Client,
}

impl Bed {
    async fn new() -> Self {
        Self::on(Cluster::shared()).await
    }

    async fn on(cluster: &'static Cluster) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let database = format!("db{number}");
        let first = connect(&cluster.superuser("postgres")).await.unwrap();
        first.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        let superuser = connect(&cluster.superuser(&database)).await.unwrap();
        let bed = Self { cluster, number, database, dir: tempfile::tempdir().unwrap(), superuser };
        bed.sudo(&format!(
            "CREATE ROLE \"{readers}\"; CREATE TABLE accounts (id int); INSERT INTO accounts VALUES (7);
            GRANT SELECT ON accounts TO \"{readers}\"; GRANT CREATE ON SCHEMA public TO \"{readers}\";
            CREATE ROLE admin{number} LOGIN CREATEROLE PASSWORD 'of the admin';
            GRANT \"{readers}\" TO admin{number} WITH ADMIN OPTION",
            readers = bed.readers(),
        ))
        .await;
        let dsn = cluster.login(&format!("admin{number}"), "of the admin", &bed.database);
        bed.write("admin", &dsn);
        bed
    }

    fn readers(&self) -> String {
        format!("readers{}", self.number)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn config(&self) -> PostgresConfig {
        let admin = Source::File(self.dir.path().join("admin"));
        PostgresConfig { admin, role: self.readers(), connections: 5, ca: None }
    }

    /// A provider with nothing in memory, as after a restart.
    fn provider(&self) -> Postgres {
        Postgres::new(self.config(), Surroundings::new(|_| None))
    }

    async fn sudo(&self, sql: &str) {
        self.superuser.batch_execute(sql).await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        self.superuser.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Reports what is left of a role: itself and its sessions.
    async fn left(&self, name: &str) -> (i64, i64) {
        let roles = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name}'");
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}'");
        (self.count(&roles).await, self.count(&sessions).await)
    }

    async fn lease(&self, provider: &Postgres, ask: &LeaseAsk) -> Leased {
        provider.lease(ask, &provider.intent(ask), NOW).await.unwrap()
    }

    /// Logs in with what was leased.
    async fn session(&self, leased: &Leased) -> Client {
        let Material::Login { user, password, database, .. } = &leased.material else {
            panic!("no login")
        };
        connect(&self.cluster.login(user, password.expose(), database)).await.unwrap()
    }
}

fn ask() -> LeaseAsk {
    let random = |n: u64| {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        getrandom::fill(&mut bytes[8..]).unwrap();
        bytes
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    LeaseAsk {
        credential: "db".to_owned(),
        lease: LeaseId::from_random(random(number)),
        task: TaskId::from_random(random(number)),
        at: NOW,
        ttl: Duration::from_secs(600),
        scope: None,
        resource: None,
        subject: None,
    }
}

async fn connect(dsn: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(dsn, tokio_postgres::NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}
