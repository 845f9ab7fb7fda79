//! Claims out of a payload, each by its type.

use super::Rejection;
use crate::keys::Thumbprint;
use crate::token::claims::{Actor, AuthorizationDetail, Claims, StatusReference, TaskClaim};
use crate::token::claims::{DEEPEST_TASK, is_scope_word};
use crate::token::lifetime::Lifetime;
use crate::token::members::{Fault, Flaw, Members};
use serde_json::{Map, Value};

/// Claims of the right types that nobody has compared with anything yet.
pub(super) struct Unverified {
    pub(super) claims: Claims,
    pub(super) not_before: Option<u64>,
}

impl Unverified {
    /// Reads every claim that we know. Others are passed over (RFC 7519 §4), but not inside the
    /// claims that limit what a token is good for: there a member that we do not understand might
    /// narrow them.
    pub(super) fn read(payload: Map<String, Value>) -> Result<Self, Rejection> {
        let mut members = Members::new(payload);
        let not_before = members.optional_integer("nbf")?;
        let claims = Claims {
            issuer: members.text("iss")?,
            subject: members.text("sub")?,
            audience: members.text("aud")?,
            client_id: members.text("client_id")?,
            lifetime: lifetime(&mut members)?,
            jti: members.text("jti")?,
            scope: scope(&mut members)?,
            txn: members.text("txn")?,
            task: task(&mut members)?,
            act: actors(&mut members)?,
            authorization_details: details(&mut members)?,
            bound_to: confirmation(&mut members)?,
            status: status(&mut members)?,
        };
        match claims.flaw() {
            Some(name) => Err(Rejection::Invalid(name)),
            None => Ok(Self { claims, not_before }),
        }
    }
}

fn lifetime(members: &mut Members) -> Result<Lifetime, Flaw> {
    let (issued, expires) = (members.integer("iat")?, members.integer("exp")?);
    Lifetime::claimed(issued, expires).ok_or(("exp", Fault::Invalid))
}

fn scope(members: &mut Members) -> Result<Vec<String>, Flaw> {
    let Some(text) = members.optional_text("scope")? else { return Ok(Vec::new()) };
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    if words.iter().all(|word| is_scope_word(word)) {
        Ok(words)
    } else {
        Err(("scope", Fault::Invalid))
    }
}

fn task(members: &mut Members) -> Result<TaskClaim, Flaw> {
    let mut task = members.object("task")?;
    let read = |task: &mut Members| {
        Ok::<_, Flaw>(TaskClaim {
            id: task.text("id")?,
            parent: task.optional_text("parent")?,
            depth: u32::try_from(task.integer("depth")?).map_err(|_| invalid("task"))?,
            component: task.optional_text("component")?,
        })
    };
    whole("task", read(&mut task), &task)
}

fn actors(members: &mut Members) -> Result<Vec<Actor>, Flaw> {
    let mut chain = Vec::new();
    let mut rest = members.optional_object("act")?;
    while let Some(mut actor) = rest {
        // The payload's own depth ends the chain as well; this says it where it is read.
        if chain.len() > DEEPEST_TASK as usize {
            return Err(invalid("act"));
        }
        let subject = actor.text("sub");
        rest = actor.optional_object("act").map_err(|_| invalid("act"))?;
        chain.push(Actor { subject: whole("act", subject, &actor)? });
    }
    Ok(chain)
}

fn details(members: &mut Members) -> Result<Vec<AuthorizationDetail>, Flaw> {
    const NAME: &str = "authorization_details";
    let read = |mut detail: Members| {
        let parts = (|| {
            Ok(AuthorizationDetail {
                kind: detail.text("type")?,
                locations: detail.texts("locations")?,
                actions: detail.texts("actions")?,
                identifier: detail.optional_text("identifier")?,
            })
        })();
        whole(NAME, parts, &detail)
    };
    members.objects(NAME)?.into_iter().map(read).collect()
}

fn confirmation(members: &mut Members) -> Result<Option<Thumbprint>, Flaw> {
    let Some(mut confirmation) = members.optional_object("cnf")? else { return Ok(None) };
    let jkt =
        confirmation.text("jkt").and_then(|text| Thumbprint::parse(&text).ok_or(invalid("cnf")));
    whole("cnf", jkt, &confirmation).map(Some)
}

fn status(members: &mut Members) -> Result<Option<StatusReference>, Flaw> {
    let Some(mut status) = members.optional_object("status")? else { return Ok(None) };
    let mut list = status.object("status_list").map_err(|_| invalid("status"))?;
    let read = |list: &mut Members| {
        let index = u32::try_from(list.integer("idx")?).map_err(|_| invalid("status"))?;
        Ok::<_, Flaw>(StatusReference { index, uri: list.text("uri")? })
    };
    let reference = whole("status", read(&mut list), &list)?;
    // Another mechanism beside ours might have revoked what ours has not.
    whole("status", Ok(Some(reference)), &status)
}

/// Gives back what was read if it was all that there was, and names the whole claim if not.
fn whole<T>(claim: &'static str, read: Result<T, Flaw>, rest: &Members) -> Result<T, Flaw> {
    match read {
        Ok(value) if rest.is_empty() => Ok(value),
        _ => Err(invalid(claim)),
    }
}

fn invalid(claim: &'static str) -> Flaw {
    (claim, Fault::Invalid)
}
