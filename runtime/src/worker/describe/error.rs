//! Why bytes are not a tool that can be run.

use crate::worker::values::escaped;
use writ_broker::codes::{self, Code};

/// Why bytes are not a tool that can be run; safe to print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// The bytes are something else.
    #[error("this is not a WebAssembly binary: {0}")]
    NotWasm(String),
    /// The bytes begin as WebAssembly and then break its rules.
    #[error("this WebAssembly binary is truncated or invalid: {0}")]
    Invalid(String),
    /// A core module needs something that nothing provides.
    #[error("the module imports `{name}` from `{module}`, which nothing provides")]
    CoreImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// A component needs something that nothing provides.
    #[error("the component imports `{import}`, which nothing provides{hint}")]
    ComponentImport {
        /// The import's name.
        import: String,
        /// `; …` with the version that is provided, or empty.
        hint: String,
    },
    /// The tool has more parts than will be looked at.
    #[error("the tool has more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// It is valid WebAssembly of a kind that cannot be run.
    #[error("{0}")]
    Unsupported(String),
}

impl DescribeError {
    /// Returns the code that a message about this carries.
    pub fn code(&self) -> Code {
        match self {
            Self::NotWasm(_) => codes::NOT_WASM,
            Self::Invalid(_) => codes::INVALID_WASM,
            Self::CoreImport { .. } => codes::CORE_IMPORT,
            Self::ComponentImport { .. } => codes::COMPONENT_IMPORT,
            Self::TooLarge { .. } => codes::TOO_BIG,
            Self::Unsupported(_) => codes::TOOL_KIND,
        }
    }

    pub(super) fn invalid(error: impl std::fmt::Display) -> Self {
        Self::Invalid(escaped(&error.to_string(), 300))
    }

    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }
}

impl From<wasmparser::BinaryReaderError> for DescribeError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::invalid(format!("{} at byte {:#x}", error.message(), error.offset()))
    }
}
