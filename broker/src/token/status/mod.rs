//! Token Status List (draft-ietf-oauth-status-list): one signed list says which of many tokens were
//! revoked, and who asks for it does not say which token it is about.

mod lists;
mod signed;
mod statuses;

pub use lists::{StatusLists, StatusPlace};
pub use signed::{StatusError, StatusIssuer, StatusSnapshot};
pub use statuses::{Bits, Status, Statuses};

/// The `typ` of a signed list (§5.1).
const TYPE: &str = "statuslist+jwt";
