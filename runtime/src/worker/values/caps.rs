//! How much a value may cost the host.

/// The most that one conversion may read or build, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Values of any kind, each element of a list and each byte of a `list<u8>` being one.
    ///
    /// A component value takes about 40 bytes of host memory, so this is what bounds memory.
    pub elements: usize,
    /// Bytes of JSON text.
    pub bytes: usize,
}

impl Caps {
    /// What holds where the grant says nothing: about 40 MiB of host memory.
    pub const DEFAULT: Self = Self { elements: 1 << 20, bytes: 4 << 20 };
}

impl Default for Caps {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The deepest type that is converted; conversion recurses, and so do readers of its JSON.
///
/// Raising it past 100 has no effect on components (wasmtime refuses deeper types) and past 128
/// would print results that most JSON parsers refuse.
pub const MAX_DEPTH: usize = 64;

/// The largest type, in nodes, that is converted.
///
/// Types are graphs: a few hundred bytes of a component can describe a type whose tree has a
/// million nodes, and a [`Shape`](super::Shape) is a tree.
pub const MAX_NODES: usize = 20_000;
