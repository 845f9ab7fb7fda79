//! Names and texts inside SQL: quoted by their type, so that none can be forgotten.

use std::fmt;

/// A name, written in double quotes.
#[derive(Clone, Copy)]
pub(super) struct Name<'a>(pub(super) &'a str);

/// A text, written in single quotes; right with `standard_conforming_strings` on or off.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubled = self.0.replace('\'', "''");
        if doubled.contains('\\') {
            write!(f, " E'{}'", doubled.replace('\\', "\\\\"))
        } else {
            write!(f, "'{doubled}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_own_quotes() {
        assert_eq!(Name("read\"ers").to_string(), "\"read\"\"ers\"");
        assert_eq!(Text("it's").to_string(), "'it''s'");
        assert_eq!(Text("a\\'; DROP").to_string(), " E'a\\\\''; DROP'");
    }
}
