//! What an access token says.

use super::lifetime::Lifetime;
use super::members::Text;
use crate::keys::Thumbprint;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The longest chain of tasks, and so of actors.
pub const DEEPEST_TASK: u32 = 8;
/// The most entries of `authorization_details`, and of each list in them.
pub(super) const MOST_DETAILS: usize = 32;

/// The claims of an access token (RFC 9068 §2.2), each present and of its type.
///
/// They are what is to be signed. Claims that came from elsewhere are
/// [`Verified<Claims>`](super::Verified), and there is no other way to read them from a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who signed it: the URL of the broker.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// On whose behalf it is used: the owner of the task.
    #[serde(rename = "sub")]
    pub subject: String,
    /// The one place that may accept it. One string, never a list.
    #[serde(rename = "aud")]
    pub audience: String,
    /// Who asked for it (RFC 8693 §4.3).
    pub client_id: String,
    /// When it was issued and when it ends.
    #[serde(flatten)]
    pub lifetime: Lifetime,
    /// The name of this token alone: 128 random bits.
    pub jti: String,
    /// What it allows, in the words of the audience; left out when empty (RFC 8693 §4.2).
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "spaced")]
    pub scope: Vec<String>,
    /// The root task: all tokens of one tree share it.
    pub txn: String,
    /// The task that the token is for.
    pub task: TaskClaim,
    /// The tasks that act, the nearest first (RFC 8693 §4.1).
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "nested")]
    pub act: Vec<Actor>,
    /// What it allows in detail (RFC 9396); left out when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The key that its sender must prove to hold (RFC 9449 §6.1).
    #[serde(rename = "cnf", skip_serializing_if = "Option::is_none", serialize_with = "bound")]
    pub bound_to: Option<Thumbprint>,
    /// Where it is looked up whether it was revoked.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "listed")]
    pub status: Option<StatusReference>,
}

/// The task of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskClaim {
    /// Its name.
    pub id: String,
    /// The task that made it; none for a root task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// How far it is from the root, which is 0.
    pub depth: u32,
    /// The digest of the component that runs, when there is but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

/// One that acts on behalf of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Its name.
    pub subject: String,
}

/// One entry of `authorization_details`, in the common fields of RFC 9396 §2.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorizationDetail {
    /// What kind of thing is allowed.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// What may be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// With what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
}

/// A place in a status list (Token Status List §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReference {
    /// The index in the list.
    #[serde(rename = "idx")]
    pub index: u32,
    /// The address of the list, which is also its name.
    pub uri: String,
}

impl Claims {
    /// Names the first claim that no token may hold. Types cannot say everything: texts have
    /// bounds, and the parts must fit each other.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        self.text_flaw().or_else(|| self.task_flaw()).or_else(|| self.detail_flaw())
    }

    fn text_flaw(&self) -> Option<&'static str> {
        let names = [
            ("iss", &self.issuer),
            ("sub", &self.subject),
            ("aud", &self.audience),
            ("client_id", &self.client_id),
            ("jti", &self.jti),
            ("txn", &self.txn),
        ];
        let flawed = names.iter().find(|(_, text)| !Text::is_sound(text)).map(|(name, _)| *name);
        let scope = || (!self.scope.iter().all(|word| is_scope_word(word))).then_some("scope");
        let uri = || self.status.as_ref().filter(|at| !Text::is_sound(&at.uri)).map(|_| "status");
        flawed.or_else(scope).or_else(uri)
    }

    fn task_flaw(&self) -> Option<&'static str> {
        let TaskClaim { id, parent, depth, component } = &self.task;
        let texts = [Some(id), parent.as_ref(), component.as_ref()];
        let is_root = *depth == 0;
        let fits = texts.into_iter().flatten().all(|text| Text::is_sound(text))
            && *depth <= DEEPEST_TASK
            && parent.is_none() == is_root
            && (!is_root || *id == self.txn);
        let actors_fit = self.act.len() <= DEEPEST_TASK as usize + 1
            && self.act.iter().all(|actor| Text::is_sound(&actor.subject));
        (!fits).then_some("task").or((!actors_fit).then_some("act"))
    }

    fn detail_flaw(&self) -> Option<&'static str> {
        let sound = |texts: &[String]| {
            texts.len() <= MOST_DETAILS && texts.iter().all(|text| Text::is_sound(text))
        };
        let fits = self.authorization_details.len() <= MOST_DETAILS
            && self.authorization_details.iter().all(|detail| {
                Text::is_sound(&detail.kind)
                    && sound(&detail.locations)
                    && sound(&detail.actions)
                    && detail.identifier.as_deref().is_none_or(Text::is_sound)
            });
        (!fits).then_some("authorization_details")
    }
}

/// `scope-token` of RFC 6749 §3.3.
pub(super) fn is_scope_word(word: &str) -> bool {
    let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !word.is_empty() && word.len() <= Text::LONGEST && word.bytes().all(fits)
}

fn spaced<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.join(" "))
}

fn nested<S: Serializer>(actors: &[Actor], serializer: S) -> Result<S::Ok, S::Error> {
    struct Chain<'a>(&'a [Actor]);
    impl Serialize for Chain<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            nested(self.0, serializer)
        }
    }
    let mut map = serializer.serialize_map(None)?;
    if let Some((first, rest)) = actors.split_first() {
        map.serialize_entry("sub", &first.subject)?;
        if !rest.is_empty() {
            map.serialize_entry("act", &Chain(rest))?;
        }
    }
    map.end()
}

fn bound<S: Serializer>(key: &Option<Thumbprint>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry("jkt", key)?;
    map.end()
}

fn listed<S: Serializer>(at: &Option<StatusReference>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry("status_list", at)?;
    map.end()
}
