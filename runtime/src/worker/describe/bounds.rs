//! How much of a hostile tool is looked at.
//!
//! Real tools stay an order of magnitude below each bound. The description is made in a confined
//! process with bounded memory and time; these keep it from getting near those, and keep the
//! recursion of the parsers that it calls within a small stack.

/// Components and modules inside one another, and type declarations inside one another.
pub(super) const NESTING: usize = 32;

/// Levels of a value type. `wasmparser` and `wit-parser` recurse over them without a bound.
pub(super) const TYPE_DEPTH: usize = 256;

/// Types, aliases, imports and exports, all together, at every level.
pub(super) const DEFINITIONS: usize = 100_000;

/// Imports and exports of the tool itself.
pub(super) const ROOT_ITEMS: usize = 2_000;

/// Functions that are listed.
pub(super) const FUNCTIONS: usize = 1_000;

/// Bytes of the `package-docs` section.
pub(super) const DOCS_SECTION: usize = 1 << 20;

/// Characters of one piece of documentation; what is longer is cut.
pub(super) const DOCS: usize = 4_000;

/// Bytes of one type written as WIT; what is longer is cut.
pub(super) const TYPE_TEXT: usize = 8_000;

/// Bytes of all text in one description.
pub(super) const TEXT: usize = 1 << 20;

/// Producers that are listed, and the characters of each name.
pub(super) const PRODUCERS: usize = 32;
/// See [`PRODUCERS`].
pub(super) const PRODUCER_TEXT: usize = 100;
