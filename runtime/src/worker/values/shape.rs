//! Types of values that have a JSON form.

use super::caps::{MAX_DEPTH, MAX_NODES};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A type whose values can be written as JSON.
///
/// Deriving it is the check that a type can be converted at all: it has no case for resources,
/// futures, streams and error contexts, and it is bounded in depth and size. Both readings of a
/// tool (its bytes, by [`describe`](crate::worker::describe), and wasmtime's types) lead here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the cases are the types of WIT, by their names")]
pub enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Shape>),
    FixedList(Box<Shape>, u32),
    Map(Box<Shape>, Box<Shape>),
    Tuple(Vec<Shape>),
    Record(Vec<(String, Shape)>),
    Variant(Vec<(String, Option<Shape>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Shape>),
    Result { ok: Option<Box<Shape>>, err: Option<Box<Shape>> },
}

impl Shape {
    /// Says whether a missing value can stand for `none`.
    pub(crate) fn is_optional(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

/// The parameters and the result of a function whose values all have a JSON form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionShape {
    /// The parameters in order, by name.
    pub params: Vec<(String, Shape)>,
    /// The result, if there is one.
    pub result: Option<Shape>,
}

/// Why a function cannot be called with JSON values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NotCallable {
    /// A handle has no meaning outside the instance that holds it.
    #[error("it takes or returns a resource handle, which has no JSON form")]
    Resource,
    /// Wasmtime runs these only with the unfinished async component model.
    #[error("it takes or returns a {0}, which has no JSON form")]
    Async(AsyncType),
    /// The function is declared `async`.
    #[error("it is an async function, which this version does not run")]
    AsyncFunction,
    /// A type nests deeper than [`MAX_DEPTH`].
    #[error("its types nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A type is larger than [`MAX_NODES`] when it is written out.
    #[error("its types have more than {MAX_NODES} parts")]
    TooLarge,
}

/// The types of the async component model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the cases are types of WIT, by their names")]
pub enum AsyncType {
    Future,
    Stream,
    ErrorContext,
}

impl fmt::Display for AsyncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Future => "future",
            Self::Stream => "stream",
            Self::ErrorContext => "error-context",
        })
    }
}

/// What is left of the bounds while one function's types are read.
#[derive(Debug)]
pub(crate) struct ShapeBudget {
    nodes: usize,
    depth: usize,
}

impl ShapeBudget {
    pub(crate) fn new() -> Self {
        Self { nodes: MAX_NODES, depth: 0 }
    }

    /// Reads one part of a type one level further down, if the bounds allow it.
    pub(crate) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, NotCallable>,
    ) -> Result<T, NotCallable> {
        self.nodes = self.nodes.checked_sub(1).ok_or(NotCallable::TooLarge)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(NotCallable::TooDeep);
        }
        let part = read(self)?;
        self.depth -= 1;
        Ok(part)
    }

    /// Counts the names of a type, which take memory as parts do.
    pub(crate) fn names(&mut self, count: usize) -> Result<(), NotCallable> {
        self.nodes = self.nodes.checked_sub(count).ok_or(NotCallable::TooLarge)?;
        Ok(())
    }
}
