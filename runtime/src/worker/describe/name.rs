//! Which function a name means.

use super::description::{Description, Function};
use super::docs::short;
use super::provided::split;
use crate::worker::values::{NotCallable, escaped, list_names, suggest};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use writ_broker::codes::{self, Code};

/// A function that can be called, by its exact names in the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRef {
    /// The exported instance that holds it, or none.
    pub interface: Option<String>,
    /// Its name there.
    pub name: String,
}

/// Why a name leads to no function; safe to print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The tool exports no function at all.
    #[error("this tool exports no functions")]
    None,
    /// No function has this name.
    #[error("there is no function `{name}`{}", match suggestion {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; there are: {known}"),
    })]
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
        /// The names that exist, cut.
        known: String,
    },
    /// Several interfaces have a function of this name.
    #[error("`{name}` could be any of: {candidates}")]
    Ambiguous {
        /// The name.
        name: String,
        /// What to say instead, cut.
        candidates: String,
    },
    /// The function exists and cannot be called.
    #[error("`{name}` cannot be called: {reason}")]
    NotCallable {
        /// The name.
        name: String,
        /// Why.
        reason: NotCallable,
    },
}

impl ResolveError {
    /// Returns the code that a message about this carries.
    pub fn code(&self) -> Code {
        match self {
            Self::NotCallable { .. } => codes::RESOURCE_TYPE,
            _ => codes::NO_FUNCTION,
        }
    }
}

/// Finds the function that a name means.
///
/// A name is the bare name of a function if only one has it, or `interface#name`, where the
/// interface is written as `text`, `acme:tools/text` or `acme:tools/text@1.0.0`. A function that
/// stands outside of any interface is always meant by its bare name.
pub fn resolve_function(tool: &Description, name: &str) -> Result<FunctionRef, ResolveError> {
    let exact = tool.functions.iter().find(|func| full(func) == name);
    let named: Vec<_> = tool.functions.iter().filter(|func| means(func, name)).collect();
    let found = match (exact, named.as_slice()) {
        (Some(func), _) => func,
        (None, [func]) => *func,
        (None, []) => return Err(unknown(tool, name)),
        (None, several) => return Err(ambiguous(several, name)),
    };
    match &found.not_callable {
        None => Ok(FunctionRef { interface: found.interface.clone(), name: found.name.clone() }),
        Some(reason) => {
            Err(ResolveError::NotCallable { name: escaped(name, 200), reason: reason.clone() })
        }
    }
}

/// Gives each function the shortest name that means it only.
pub(super) fn assign_calls(functions: &mut [Function]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for func in functions.iter() {
        for name in [func.name.clone(), shortened(func)] {
            *counts.entry(name).or_default() += 1;
        }
    }
    for func in functions {
        func.call = match &func.interface {
            None => func.name.clone(),
            Some(_) if counts.get(&func.name) == Some(&1) => func.name.clone(),
            Some(_) if counts.get(&shortened(func)) == Some(&1) => shortened(func),
            Some(_) => full(func),
        };
    }
}

fn full(func: &Function) -> String {
    match &func.interface {
        Some(interface) => format!("{interface}#{}", func.name),
        None => func.name.clone(),
    }
}

fn shortened(func: &Function) -> String {
    let interface = func.interface.as_deref().unwrap_or_default();
    format!("{}#{}", short(interface), func.name)
}

fn means(func: &Function, name: &str) -> bool {
    match (name.rsplit_once('#'), &func.interface) {
        (None, _) => func.name == name,
        (Some(_), None) => false,
        (Some((wanted, name)), Some(interface)) => {
            func.name == name && (wanted == short(interface) || wanted == split(interface).0)
        }
    }
}

fn unknown(tool: &Description, name: &str) -> ResolveError {
    if tool.functions.is_empty() {
        return ResolveError::None;
    }
    let calls = || tool.functions.iter().map(|func| func.call.as_str());
    let bare = || tool.functions.iter().map(|func| func.name.as_str());
    ResolveError::Unknown {
        name: escaped(name, 200),
        suggestion: suggest(name, calls().chain(bare())).map(|name| escaped(name, 200)),
        known: list_names(calls()),
    }
}

fn ambiguous(several: &[&Function], name: &str) -> ResolveError {
    ResolveError::Ambiguous {
        name: escaped(name, 200),
        candidates: list_names(several.iter().map(|func| func.call.as_str())),
    }
}
