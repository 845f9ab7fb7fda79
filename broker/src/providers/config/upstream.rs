//! What each kind needs.

use super::read::Entry;
use super::{ClientAuth, GithubAppConfig, OauthConfig, PostgresConfig, Upstream};
use crate::codes;
use crate::grant::parse::amount;
use crate::grant::parse::sink::{At, Sink};
use crate::grant::parse::table::{Table, string, wrong_type};
use crate::limits::Unit;
use crate::providers::github_app::LEVELS;
use crate::providers::http::Endpoint;
use crate::providers::lease::Kind;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// How many sessions a role may have where nothing is said.
const CONNECTIONS: u16 = 5;
/// How long a token may live where nothing is said.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// The longest name that PostgreSQL keeps whole, bytes; a longer one would be cut to another's.
const LONGEST_ROLE: usize = 63;

/// Returns the keys that a kind has.
pub(super) fn keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Secret => &["kind", "allow", "expose", "source"],
        Kind::Postgres => &["kind", "expose", "admin", "role", "connections", "ca"],
        Kind::Oauth => &[
            "kind",
            "allow",
            "token_endpoint",
            "revocation_endpoint",
            "client_id",
            "client_secret",
            "private_key",
            "key_id",
            "auth",
            "grant_type",
            "scope",
            "audience",
            "longest_life",
            "ca",
        ],
        Kind::GithubApp => &[
            "kind",
            "allow",
            "app_id",
            "installation_id",
            "private_key",
            "api",
            "repositories",
            "permissions",
            "ca",
        ],
    }
}

pub(super) fn read(sink: &mut Sink, entry: &Entry<'_, '_, '_>, kind: Kind) -> Option<Upstream> {
    match kind {
        Kind::Secret => entry.source(sink, "source").map(Upstream::Secret),
        Kind::Postgres => postgres(sink, entry).map(Upstream::Postgres),
        Kind::Oauth => oauth(sink, entry).map(|config| Upstream::Oauth(Box::new(config))),
        Kind::GithubApp => github(sink, entry).map(|config| Upstream::GithubApp(Box::new(config))),
    }
}

fn postgres(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<PostgresConfig> {
    let admin = entry.source(sink, "admin");
    let role = entry.table.required(sink, "role", "\"readers\"");
    let most = u64::from(u16::MAX);
    let connections = entry.number(sink, "connections", most);
    let ca = ca(sink, entry);
    let role = role?;
    if role.value.is_empty() || role.value.len() > LONGEST_ROLE || role.value.contains('\0') {
        let message = format!("a role has a name of 1 to {LONGEST_ROLE} bytes");
        sink.error(codes::UPSTREAM_RIGHTS, role.span, message);
    }
    let connections = connections.and_then(|n| u16::try_from(n).ok()).unwrap_or(CONNECTIONS);
    Some(PostgresConfig { admin: admin?, role: role.value.to_owned(), connections, ca })
}

fn oauth(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<OauthConfig> {
    let table = &entry.table;
    let token_endpoint = table
        .required(sink, "token_endpoint", "\"https://login.example.com/token\"")
        .and_then(|text| entry.endpoint(sink, &text));
    let revocation_endpoint = endpoint(sink, entry, "revocation_endpoint");
    let client_id = table.required(sink, "client_id", "\"writ\"");
    let auth = client_auth(sink, entry);
    let exchange = table.string(sink, "grant_type").is_some_and(|text| {
        let words = ["client_credentials", "token_exchange"];
        if !words.contains(&text.value) {
            let message = format!("there is no grant type \"{}\" here", text.value);
            sink.error(codes::BAD_WORD, text.span, message)
                .help(format!("there are: {}", words.join(", ")));
        }
        text.value == "token_exchange"
    });
    let scope = names(sink, table, "scope", "[\"read\"]");
    let audience = table.string(sink, "audience").map(|text| text.value.to_owned());
    let longest_life = table
        .get("longest_life")
        .and_then(|value| amount::from_toml(sink, value, Unit::Time))
        .map_or(LONGEST_LIFE, |at| Duration::from_millis(at.value));
    let ca = ca(sink, entry);
    Some(OauthConfig {
        token_endpoint: token_endpoint?,
        revocation_endpoint,
        client_id: client_id?.value.to_owned(),
        auth: auth?,
        exchange,
        scope: scope?,
        audience,
        longest_life,
        ca,
    })
}

fn client_auth(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<ClientAuth> {
    let table = &entry.table;
    let has_key = table.get("private_key").is_some();
    let default = if has_key { "private_key_jwt" } else { "client_secret_basic" };
    let word = table.string(sink, "auth");
    let span = word.as_ref().map_or(table.span, |word| word.span);
    if has_key && table.get("client_secret").is_some() {
        sink.error(codes::CLIENT_AUTH, span, "a client has either a secret or a key, not both");
        return None;
    }
    let key_id = table.string(sink, "key_id").map(|text| text.value.to_owned());
    match (word.map_or(default, |word| word.value), has_key) {
        ("client_secret_basic", false) => {
            entry.source(sink, "client_secret").map(ClientAuth::Basic)
        }
        ("client_secret_post", false) => entry.source(sink, "client_secret").map(ClientAuth::Post),
        ("private_key_jwt", true) => {
            let key = entry.source(sink, "private_key")?;
            Some(ClientAuth::PrivateKey { key, key_id })
        }
        _ => {
            sink.error(codes::CLIENT_AUTH, span, "the way to authenticate has no secret or key that fits")
                .help("client_secret goes with \"client_secret_basic\" or \"client_secret_post\", private_key with \"private_key_jwt\"");
            None
        }
    }
}

fn github(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<GithubAppConfig> {
    let table = &entry.table;
    let app_id = app_id(sink, entry);
    if table.get("installation_id").is_none() {
        let message = "a credential needs the key \"installation_id\"";
        sink.error(codes::MISSING_KEY, table.span, message).help("add installation_id = 12345");
    }
    let installation_id = entry.number(sink, "installation_id", i64::MAX.unsigned_abs());
    let private_key = entry.source(sink, "private_key");
    let api = if table.get("api").is_some() {
        endpoint(sink, entry, "api")
    } else {
        Endpoint::parse("https://api.github.com")
    };
    let repositories = names(sink, table, "repositories", "[\"site\"]");
    let permissions = permissions(sink, table);
    let ca = ca(sink, entry);
    Some(GithubAppConfig {
        app_id: app_id?,
        installation_id: installation_id?,
        private_key: private_key?,
        api: api?,
        repositories: repositories?,
        permissions: permissions?,
        ca,
    })
}

/// GitHub has numbers as ids of Apps, and texts as client ids; either will do.
fn app_id(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<String> {
    match entry.table.get("app_id").map(|value| value.value) {
        Some(DeValue::Integer(_)) => {
            entry.number(sink, "app_id", i64::MAX.unsigned_abs()).map(|id| id.to_string())
        }
        _ => entry.table.required(sink, "app_id", "12345").map(|text| text.value.to_owned()),
    }
}

fn permissions(sink: &mut Sink, table: &Table<'_, '_>) -> Option<BTreeMap<String, String>> {
    let example = "add permissions = { contents = \"read\" }";
    let Some(value) = table.get("permissions") else {
        let message = "a credential needs the key \"permissions\"";
        sink.error(codes::MISSING_KEY, table.span, message).help(example);
        return None;
    };
    let DeValue::Table(inner) = value.value else {
        wrong_type(sink, value, "a table").help(example);
        return None;
    };
    let inner = Table::new(inner, value.span, "permissions");
    let mut found = BTreeMap::new();
    for (name, level) in inner.entries() {
        let Some(level) = string(sink, level) else { continue };
        if !LEVELS.contains(&level.value) {
            sink.error(codes::UPSTREAM_RIGHTS, level.span, "this is no level of a permission")
                .help(format!("there are: {}", LEVELS.join(", ")));
        }
        found.insert(name.value, level.value.to_owned());
    }
    if found.is_empty() {
        sink.error(codes::UPSTREAM_RIGHTS, value.span, "no permission is named").help(example);
    }
    Some(found)
}

/// Reads a list of words that has to be there: for the upstream an empty one would be all.
fn names(sink: &mut Sink, table: &Table<'_, '_>, key: &str, example: &str) -> Option<Vec<String>> {
    if table.get(key).is_none() {
        let message = format!("a credential needs the key \"{key}\"");
        sink.error(codes::MISSING_KEY, table.span, message).help(format!("add {key} = {example}"));
        return None;
    }
    let list: At<Vec<At<&str>>> = table.strings(sink, key)?;
    if list.value.is_empty() {
        sink.error(codes::UPSTREAM_RIGHTS, list.span, format!("no {key} is named"))
            .help(format!("write {key} = {example}"));
    }
    let fits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    for item in list.value.iter().filter(|item| !fits(item.value)) {
        sink.error(codes::UPSTREAM_RIGHTS, item.span, "a word here has no blanks and is not empty");
    }
    Some(list.value.iter().map(|item| item.value.to_owned()).collect())
}

fn endpoint(sink: &mut Sink, entry: &Entry<'_, '_, '_>, key: &str) -> Option<Endpoint> {
    entry.table.string(sink, key).and_then(|text| entry.endpoint(sink, &text))
}

fn ca(sink: &mut Sink, entry: &Entry<'_, '_, '_>) -> Option<PathBuf> {
    entry.table.string(sink, "ca").and_then(|text| entry.path(sink, &text))
}
