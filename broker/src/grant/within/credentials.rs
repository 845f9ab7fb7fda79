//! Credentials, each against the parent's of the same name.

use super::Wider;
use crate::grant::{CredentialGrant, Grant, Scope};
use crate::limits::Unit;
use std::collections::HashSet;

/// Returns what of a child's credential its parent does not have.
pub(super) fn wider(child: &CredentialGrant, parent: &Grant) -> Vec<Wider> {
    let CredentialGrant { name, kind, scope, ttl, place, expose } = child;
    let field = format!("[[credential]] {name}");
    let Some(has) = parent.credential(name) else {
        let wider = Wider::new(field, "the parent has no credential of this name");
        return vec![wider.help("leave it out")];
    };
    let at = |key: &str| format!("{field} {key}");
    let other = |key: &str| {
        Wider::new(at(key), "the parent's is another one").help("say the same as the parent")
    };
    let Scope { audience, actions, resource } = scope;
    let mut wider = Vec::new();
    wider.extend((*kind != has.kind).then(|| other("kind")));
    wider.extend((*audience != has.scope.audience).then(|| other("audience")));
    wider.extend(more_actions(actions, &has.scope.actions).map(|why| {
        Wider::new(at("scope"), why).help("name words of the parent's scope, or all of them")
    }));
    wider.extend((*resource != has.scope.resource).then(|| other("resource")));
    wider.extend((*ttl > has.ttl).then(|| {
        let most = Unit::Time.show(u64::try_from(has.ttl.as_millis()).unwrap_or(u64::MAX));
        Wider::new(at("ttl"), format!("the parent's is {most}"))
            .help(format!("ask for {most} or less"))
    }));
    wider.extend((*place != has.place).then(|| other("place")));
    wider.extend((*expose && !has.expose).then(|| {
        Wider::new(at("expose"), "the parent does not hold it itself").help("leave it out")
    }));
    wider
}

/// Without words the operator decides, and gives all there is: leaving them out asks for more.
/// A parent without words may have fewer rights than any word that a child names.
fn more_actions(child: &[String], parent: &[String]) -> Option<String> {
    if child.is_empty() {
        let more = !parent.is_empty();
        return more.then(|| "no scope is the widest that the operator allows".to_owned());
    }
    let has: HashSet<&String> = parent.iter().collect();
    let word = child.iter().find(|word| !has.contains(word))?;
    Some(format!("the parent's has no word \"{word}\""))
}
