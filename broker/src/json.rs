//! JSON that is safe to show: no character in it changes how a terminal or a log reads.

use crate::text::is_treacherous;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::io;

/// Writes a value as one line. Every control, bidirectional and invisible character is written as
/// `\uXXXX`, which JSON allows anywhere, so the value is the same.
pub fn line(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Escaping))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_treacherous(*c)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            plain = at + c.len_utf8();
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        CompactFormatter.write_string_fragment(writer, &fragment[plain..])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn hostile_characters_are_escaped_and_mean_the_same() {
        let hostile = "a\u{1b}[2J\u{9b}\u{202e}\u{7f}\"\\\n\u{e0041}z";
        let line = line(&hostile).unwrap();
        assert!(!line.chars().any(is_treacherous));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), hostile);
    }
}
