//! What a tool is, in a form that crosses to the host and is stored beside the compiled code.

use crate::worker::values::NotCallable;
use serde::{Deserialize, Serialize};

/// What a tool is. Every text in it comes from the tool: escape it before it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// How it is run.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// What it needs from the host.
    pub imports: Vec<Import>,
    /// What can be called by name; a command may have functions too.
    pub functions: Vec<Function>,
    /// The named types that the functions use.
    pub types: Vec<NamedType>,
    /// What its world or package says about itself.
    pub docs: Option<String>,
    /// What made it.
    pub producers: Vec<Producer>,
}

impl Description {
    /// Says whether the tool is a core module rather than a component.
    pub fn is_core(&self) -> bool {
        self.kind == Kind::CoreCommand
    }
}

/// The three kinds of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A component that exports `wasi:cli/run`; it may have functions as well.
    Command,
    /// A component that exports functions and no `wasi:cli/run`.
    Functions,
    /// A core module for wasip1 that exports `_start` and `memory`.
    CoreCommand,
}

/// Something a tool needs from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The interface without its version, or the module of a core import.
    pub interface: String,
    /// The interface's version.
    pub version: Option<String>,
}

/// A function that a tool exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// What `--call` takes: the shortest name that means this function only.
    pub call: String,
    /// The exported instance that holds it; none if the tool exports it directly.
    pub interface: Option<String>,
    /// Its name there.
    pub name: String,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its result as WIT text.
    pub result: Option<String>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Why it cannot be called, if it cannot.
    pub not_callable: Option<NotCallable>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type as WIT text.
    pub ty: String,
}

/// A type by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedType {
    /// The interface that defines it; none if the world does.
    pub interface: Option<String>,
    /// Its name.
    pub name: String,
    /// Its definition as WIT text, one part per line, with the documentation of its parts.
    pub wit: String,
    /// Its documentation.
    pub docs: Option<String>,
}

/// A language, toolchain or kit that took part in making the tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}
