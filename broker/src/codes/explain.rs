//! The long explanations, one Markdown section per code.

use super::ALL;
use crate::text::nearest;

/// Each file holds sections that start with `# CODE title`.
const AREAS: [&str; 8] = [
    include_str!("denied.md"),
    include_str!("grant.md"),
    include_str!("rules.md"),
    include_str!("credential.md"),
    include_str!("tool.md"),
    include_str!("limit.md"),
    include_str!("machine.md"),
    include_str!("upstream.md"),
];

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// What happened, why writ refuses, and what to do, as Markdown.
    pub text: &'static str,
}

/// Explains a code; upper or lower case.
pub fn explain(code: &str) -> Option<Explanation> {
    sections().find(|explanation| explanation.code.eq_ignore_ascii_case(code.trim()))
}

/// Returns the code that an unknown one was probably meant to be.
pub fn near(code: &str) -> Option<&'static str> {
    nearest(code.trim(), ALL.iter().copied())
}

/// Returns every explanation, in the order of [`ALL`].
pub fn explanations() -> impl Iterator<Item = Explanation> {
    sections()
}

fn sections() -> impl Iterator<Item = Explanation> {
    AREAS.iter().flat_map(|area| {
        area.split("\n# ").filter_map(|section| {
            let (heading, text) = section.trim_start_matches("# ").split_once('\n')?;
            let (code, title) = heading.split_once(' ')?;
            Some(Explanation { code, title: title.trim(), text: text.trim() })
        })
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_every_explanation_has_a_code() {
        let explained: Vec<&str> = sections().map(|section| section.code).collect();
        assert_eq!(explained, ALL);
    }

    #[test]
    fn an_explanation_says_something() {
        for section in sections() {
            assert!(section.title.len() > 10, "{}", section.code);
            assert!(section.text.len() > 150, "{} is too short", section.code);
            assert!(!section.title.ends_with('.'), "{}", section.code);
        }
    }

    #[test]
    fn every_code_has_a_letter_and_four_digits_and_is_used_once() {
        for (index, code) in ALL.iter().enumerate() {
            assert!(code.len() == 5 && "DGTLCUK".contains(&code[..1]), "{code}");
            assert!(code[1..].bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(!ALL[..index].contains(code), "{code} twice");
        }
    }

    #[test]
    fn case_and_blanks_do_not_matter_and_a_typing_error_is_guessed() {
        assert_eq!(explain(" d0101 ").unwrap().code, "D0101");
        assert_eq!(explain("D9999"), None);
        assert_eq!(near("D01O1"), Some("D0101"));
        assert_eq!(near("hello"), None);
    }

    #[test]
    fn every_limit_has_its_code() {
        let mut codes: Vec<_> = crate::limits::FIELDS
            .iter()
            .map(|field| super::super::for_limit(field.name).unwrap().to_string())
            .collect();
        codes.dedup();
        assert_eq!(codes.len(), crate::limits::FIELDS.len());
        assert_eq!(super::super::for_limit("memory"), Some(super::super::LIMIT_MEMORY));
    }
}
