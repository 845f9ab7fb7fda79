//! A grant as text: the sum of file, flags and defaults.

use super::parse::credential_kind;
use super::{CredentialGrant, Grant, HttpRule};
use crate::limits::{FIELDS, Unit};
use std::fmt::Write;

/// The longest grant that is recorded as a whole, bytes of JSON.
const LONGEST_IN_RECORD: usize = 64 * 1024;

impl Grant {
    /// Writes the whole grant as a grant file, defaults included.
    ///
    /// Parsed again it is the same grant, but for values of variables that look like credentials:
    /// those are replaced by a word, because this text is meant to be printed.
    pub fn to_toml(&self) -> String {
        self.toml(|value| if credential_kind(value).is_some() { "(not shown)" } else { value })
    }

    /// Writes the whole grant as a grant file, with every value. It is for a place that only its owner
    /// can read; parsed again it is the same grant.
    pub fn to_private_toml(&self) -> String {
        self.toml(|value| value)
    }

    fn toml(&self, variable: impl Fn(&str) -> &str) -> String {
        let mut out = String::new();
        self.write_toml(&mut out, variable).expect("a string takes any text");
        out
    }

    /// Returns what [`Grant::to_toml`] says, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        toml::from_str(&self.to_toml()).expect("the sum of a grant is TOML")
    }

    /// Returns the same for the ledger: without the values of variables, whatever they look like, and
    /// as a digest if it is longer than a record should be.
    pub fn to_record(&self) -> serde_json::Value {
        let mut grant = self.to_json();
        if let Some(variables) = grant.get_mut("env").and_then(serde_json::Value::as_object_mut) {
            variables.values_mut().for_each(|value| *value = "(not recorded)".into());
        }
        let text = grant.to_string();
        if text.len() > LONGEST_IN_RECORD {
            let digest = crate::ledger::Digest::of(text.as_bytes());
            return serde_json::json!({ "bytes": text.len(), "sha256": digest.to_string() });
        }
        grant
    }

    fn write_toml(&self, out: &mut String, variable: impl Fn(&str) -> &str) -> std::fmt::Result {
        if self.ttl.is_some() || self.purpose.is_some() {
            writeln!(out, "[task]")?;
        }
        if let Some(ttl) = self.ttl {
            let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            writeln!(out, "ttl = {}", quoted(&Unit::Time.show(ms)))?;
        }
        if let Some(purpose) = &self.purpose {
            writeln!(out, "purpose = {}", quoted(purpose))?;
        }
        for dir in &self.fs {
            let host = quoted(&dir.host.to_string_lossy());
            let (guest, access) = (quoted(&dir.guest), quoted(dir.access.as_str()));
            writeln!(out, "\n[[fs]]\nguest = {guest}\nhost = {host}\naccess = {access}")?;
        }
        for rule in &self.http {
            write_http(out, rule)?;
        }
        for rule in &self.tcp {
            let host = quoted(&rule.host.to_string());
            writeln!(out, "\n[[tcp]]\nhost = {host}\nport = {}", rule.port)?;
            write_addresses(out, &rule.addresses)?;
        }
        for credential in &self.credentials {
            write_credential(out, credential)?;
        }
        if !self.env.is_empty() {
            writeln!(out, "\n[env]")?;
        }
        for (name, value) in &self.env {
            writeln!(out, "{} = {}", quoted(name), quoted(variable(value)))?;
        }
        writeln!(out, "\n[limits]")?;
        for field in FIELDS {
            let amount = field.unit.show((field.get)(&self.limits));
            let amount = if field.unit == Unit::Count { amount } else { quoted(&amount) };
            writeln!(out, "{} = {amount}", field.name)?;
        }
        Ok(())
    }
}

fn write_http(out: &mut String, rule: &HttpRule) -> std::fmt::Result {
    let list = |items: Vec<String>| items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", ");
    writeln!(out, "\n[[http]]\nhost = {}", quoted(&rule.host.to_string()))?;
    writeln!(out, "scheme = {}\nport = {}", quoted(&rule.scheme.to_string()), rule.port)?;
    writeln!(out, "methods = [{}]", list(rule.methods.clone()))?;
    writeln!(out, "paths = [{}]", list(rule.paths.iter().map(ToString::to_string).collect()))?;
    write_addresses(out, &rule.addresses)?;
    match &rule.credential {
        Some(name) => writeln!(out, "credential = {}", quoted(name.as_str())),
        None => Ok(()),
    }
}

/// Writes what the kind has; a key that it has not would be refused when it is read again.
fn write_credential(out: &mut String, credential: &CredentialGrant) -> std::fmt::Result {
    let CredentialGrant { name, kind, scope, ttl, place, expose } = credential;
    writeln!(out, "\n[[credential]]\nname = {}", quoted(name.as_str()))?;
    writeln!(out, "kind = {}", quoted(kind.as_str()))?;
    if let Some(audience) = &scope.audience {
        writeln!(out, "audience = {}", quoted(audience))?;
    }
    if !scope.actions.is_empty() {
        writeln!(out, "scope = {}", quoted(&scope.actions.join(" ")))?;
    }
    if let Some(resource) = &scope.resource {
        writeln!(out, "resource = {}", quoted(resource))?;
    }
    if kind.longest_ttl().is_some() {
        let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        writeln!(out, "ttl = {}", quoted(&Unit::Time.show(ms)))?;
    }
    if kind.is_injected() {
        writeln!(out, "place = {}", quoted(&place.to_string()))?;
    }
    if *expose { writeln!(out, "expose = true") } else { Ok(()) }
}

fn write_addresses(out: &mut String, addresses: &[ipnet::IpNet]) -> std::fmt::Result {
    if addresses.is_empty() {
        return Ok(());
    }
    let ranges: Vec<String> = addresses.iter().map(|range| quoted(&range.to_string())).collect();
    writeln!(out, "addresses = [{}]", ranges.join(", "))
}

/// Quotes as a basic string on one line, in which everything that a terminal could obey is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if crate::text::is_treacherous(c) => {
                out.push_str(&format!("\\U{:08X}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
