//! Making a role.

use super::super::error::ProviderError;
use super::super::when;
use super::admin::{Admin, column, failure};
use super::sql::{Name, Text};
use crate::clock::UnixMillis;
use tokio_postgres::error::SqlState;

/// The first version in which membership says by itself what it is good for.
const WITH_OPTIONS: i32 = 160_000;

/// A role that is to be made.
pub(super) struct NewRole<'a> {
    pub(super) name: &'a str,
    /// The operator's role, through which it gets its rights.
    pub(super) member_of: &'a str,
    pub(super) verifier: String,
    pub(super) expires: UnixMillis,
    pub(super) connections: u16,
    pub(super) comment: String,
}

/// Roles through which a session becomes more than its rights in the database: such a one, or one
/// that leads to it by `SET ROLE`, is never given away. Removing a name here opens the machine.
const ROOTS: &str = "WITH RECURSIVE reach AS (
        SELECT oid FROM pg_roles WHERE rolname = $1
        UNION SELECT m.roleid FROM pg_auth_members m JOIN reach ON m.member = reach.oid)
    SELECT count(*) FILTER (WHERE r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
            OR r.rolbypassrls OR r.rolname = current_user OR r.rolname IN (
            'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
            'pg_signal_backend', 'pg_create_subscription', 'pg_maintain', 'pg_checkpoint',
            'pg_use_reserved_connections', 'pg_monitor', 'pg_read_all_settings')),
        count(*), current_setting('server_version_num')::int
    FROM pg_roles r JOIN reach USING (oid)";

/// Makes a role with its one membership, all in one transaction.
pub(super) async fn create(admin: &Admin, role: &NewRole<'_>) -> Result<(), ProviderError> {
    let row = admin.client.query_one(ROOTS, &[&role.member_of]).await.map_err(failure)?;
    let (dangerous, all): (i64, i64) = (column(&row, 0)?, column(&row, 1)?);
    let version: i32 = column(&row, 2)?;
    if all == 0 {
        let why = format!("the database has no role \"{}\"", role.member_of);
        return Err(ProviderError::never(why));
    }
    if dangerous > 0 {
        return Err(ProviderError::never(format!(
            "the role \"{}\" is, or leads to, one with rights over the server; name one with rights on tables only",
            role.member_of
        )));
    }
    let sql = statements(role, version);
    admin.client.batch_execute(&sql).await.map_err(|error| {
        if error.code() == Some(&SqlState::DUPLICATE_OBJECT) {
            return ProviderError::Gone;
        }
        failure(error)
    })
}

fn statements(role: &NewRole<'_>, version: i32) -> String {
    let name = Name(role.name);
    let until = when::to_rfc3339(role.expires);
    // Membership of the admin role is what lets it end the sessions and drop what is owned.
    let options = if version >= WITH_OPTIONS { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    format!(
        "BEGIN;
        CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT \
            CONNECTION LIMIT {} PASSWORD {} VALID UNTIL {} IN ROLE {};
        GRANT {name} TO CURRENT_USER{options};
        COMMENT ON ROLE {name} IS {};
        COMMIT",
        role.connections,
        Text(&role.verifier),
        Text(&until),
        Name(role.member_of),
        Text(&role.comment),
    )
}
