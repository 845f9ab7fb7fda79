//! Ending a role, so that nothing of it is left whatever its sessions do meanwhile.
//!
//! One pass, each step of which can be done again:
//! 1. end admin sessions that may still be making the role, since their commit would come after us;
//! 2. end its sessions, which may hold a lock on the role itself;
//! 3. take its log-in away;
//! 4. end its sessions until none is left, those included that were just logging in;
//! 5. roll back what it prepared, and drop what it owns, in every database;
//! 6. drop it, and look again.

use super::super::Revoked;
use super::super::error::ProviderError;
use super::super::tls::LazyTls;
use super::admin::{Admin, column, failure};
use super::sql::{Name, Text};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Oid;

/// How admin sessions that revoke are called in the list of sessions.
const SESSION: &str = "writ revoke";
/// How often sessions are ended and looked for before the pass gives up; some four seconds in all.
const LOOKS: usize = 24;
/// The first and the longest pause between two looks. The server's own way to wait for the end of a
/// session looks only every 100 ms, and most are gone after a few.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));
/// How many looks without a session are enough while somebody is logging in: a quarter of a second.
/// Whoever is past the check of the log-in right appears within microseconds, and whoever is not will
/// be refused; fewer would leave a gap on a machine that is overloaded.
const QUIET: usize = 8;

/// Ends admin sessions that carry the role's name: those that are making it. Nobody else can pretend
/// to be one, for the user is compared too.
const END_MAKERS: &str = "SELECT coalesce(bool_and(pg_terminate_backend(pid, 5000)), true)
    FROM pg_stat_activity
    WHERE application_name = $1 AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user)
        AND pid <> pg_backend_pid()";
/// Signals sessions by the user that logged in, which `SET ROLE` does not change.
const SIGNAL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usesysid = $1";
/// Counts the sessions of the role, and the processes that are just logging in and do not say as whom:
/// between the check of the log-in right and their appearance in the list they hold only this lock.
const LEFT: &str = "SELECT
    (SELECT count(*) FROM pg_stat_activity WHERE usesysid = $1),
    (SELECT count(*) FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'virtualxid' AND l.pid IS NOT NULL AND a.pid IS NULL)";
/// Other databases in which something belongs to the role or depends on it.
const ELSEWHERE: &str = "SELECT DISTINCT d.datname FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
    WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1 AND d.datname <> current_database()
    UNION SELECT database FROM pg_prepared_xacts
    WHERE owner = $2 AND database <> current_database()";
/// Transactions that the role has prepared (PREPARE TRANSACTION): they outlive its sessions.
const PREPARED: &str =
    "SELECT gid FROM pg_prepared_xacts WHERE owner = $1 AND database = current_database()";

/// Makes one pass.
pub(super) async fn revoke(
    config: &Config,
    tls: &LazyTls,
    name: &str,
) -> Result<Revoked, ProviderError> {
    let admin = Admin::connect(config, tls, SESSION).await?;
    let makers = admin.client.query_one(END_MAKERS, &[&name]).await.map_err(failure)?;
    if !column::<bool>(&makers, 0)? {
        return Err(ProviderError::later("a session that makes the role does not end"));
    }
    let Some(oid) = find(&admin, name).await? else { return Ok(Revoked::Gone) };
    admin.client.query_one(SIGNAL, &[&oid]).await.map_err(failure)?;
    admin.run(&format!("ALTER ROLE {} NOLOGIN CONNECTION LIMIT 0", Name(name))).await?;
    end_sessions(&admin, oid).await?;
    for database in elsewhere(&admin, oid, name).await? {
        let mut there = config.clone();
        there.dbname(database);
        drop_owned(&Admin::connect(&there, tls, SESSION).await?, name).await?;
    }
    drop_owned(&admin, name).await?;
    drop_role(&admin, name).await?;
    match (find(&admin, name).await?, sessions(&admin, oid).await?) {
        (None, (0, _)) => Ok(Revoked::Gone),
        _ => Err(ProviderError::later("the role came back")),
    }
}

async fn find(admin: &Admin, name: &str) -> Result<Option<Oid>, ProviderError> {
    let sql = "SELECT oid FROM pg_roles WHERE rolname = $1";
    let row = admin.client.query_opt(sql, &[&name]).await.map_err(failure)?;
    row.map(|row| column(&row, 0)).transpose()
}

/// Ends the sessions until none is seen, and none can come: what was logging in when the log-in was
/// taken away has appeared or been refused.
async fn end_sessions(admin: &Admin, oid: Oid) -> Result<(), ProviderError> {
    let (mut pause, longest) = PAUSE;
    let mut quiet = 0;
    for _ in 0..LOOKS {
        admin.client.query_one(SIGNAL, &[&oid]).await.map_err(failure)?;
        let (open, starting) = sessions(admin, oid).await?;
        quiet = if open == 0 { quiet + 1 } else { 0 };
        if quiet >= QUIET || quiet > 0 && starting == 0 {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
    let why = "sessions of the role do not end".to_owned();
    Err(ProviderError::Later { after: Some(Duration::from_secs(1)), why })
}

async fn sessions(admin: &Admin, oid: Oid) -> Result<(i64, i64), ProviderError> {
    let row = admin.client.query_one(LEFT, &[&oid]).await.map_err(failure)?;
    Ok((column(&row, 0)?, column(&row, 1)?))
}

async fn elsewhere(admin: &Admin, oid: Oid, name: &str) -> Result<Vec<String>, ProviderError> {
    let rows = admin.client.query(ELSEWHERE, &[&oid, &name]).await.map_err(failure)?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Rolls back what the role prepared and drops what it owns, in one database.
async fn drop_owned(admin: &Admin, name: &str) -> Result<(), ProviderError> {
    for row in admin.client.query(PREPARED, &[&name]).await.map_err(failure)? {
        // Only the role itself may do it, or a superuser.
        let (role, gid): (_, &str) = (Name(name), column(&row, 0)?);
        admin.run(&format!("SET ROLE {role}")).await?;
        admin.run(&format!("ROLLBACK PREPARED {}", Text(gid))).await?;
        admin.run("RESET ROLE").await?;
    }
    admin.run(&format!("DROP OWNED BY {} CASCADE", Name(name))).await
}

async fn drop_role(admin: &Admin, name: &str) -> Result<(), ProviderError> {
    let sql = format!("DROP ROLE IF EXISTS {}", Name(name));
    admin.client.batch_execute(&sql).await.map_err(|error| {
        if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) {
            return ProviderError::later("something still depends on the role");
        }
        failure(error)
    })
}
