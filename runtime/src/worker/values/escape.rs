//! Text from a guest, made safe to show.

use std::fmt::Write as _;
use writ_broker::text::is_treacherous;

/// Renders at most `max` characters on one line, every hostile one as `\n` or `\u{…}`.
///
/// A longer text ends in `…`. A backslash is doubled, so that a guest cannot fake an escape.
pub fn escaped(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        push_escaped(&mut out, c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_treacherous(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Appends `text` to `out` as a JSON string whose hostile characters are all escaped.
///
/// The value is unchanged: JSON allows any character to be written as `\uXXXX`.
pub(crate) fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if c != '"' && c != '\\' && !is_treacherous(c) {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_sequence_and_a_bidi_override_are_spelled_out() {
        assert_eq!(escaped("a\u{1b}[31m\u{202e}b\u{9b}", 99), "a\\u{1b}[31m\\u{202e}b\\u{9b}");
    }

    #[test]
    fn a_guest_cannot_write_an_escape_that_looks_like_ours() {
        assert_ne!(escaped("\\n", 99), escaped("\n", 99));
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(escaped("abcdef", 3), "abc…");
    }

    #[test]
    fn a_json_string_keeps_its_value_and_shows_no_hostile_character() {
        let hostile = "\u{0}\u{7f}\u{9b}\u{202e}\u{e0041}\"\\\n\u{1f600}é";
        let mut out = String::new();
        push_json_string(&mut out, hostile);
        assert!(!out.chars().any(is_treacherous));
        assert_eq!(serde_json::from_str::<String>(&out).ok().as_deref(), Some(hostile));
    }
}
