//! Finds the first of some needles.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind, packed};

/// A search, prepared. Preparing is part of every request, so the cheaper engine is taken where the
/// processor and the number of needles allow it; an automaton costs ten times as much to build.
pub(super) enum Search {
    /// By vector instructions.
    Packed(packed::Searcher),
    /// By an automaton.
    Automaton(AhoCorasick),
}

impl Search {
    /// Prepares the search for needles of one length, each of which stands once.
    pub(super) fn new<const N: usize>(needles: &[[u8; N]]) -> Option<Self> {
        let packed = packed::Config::new().builder().extend(needles).build();
        if let Some(searcher) = packed {
            return Some(Self::Packed(searcher));
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::NoncontiguousNFA));
        builder.build(needles).ok().map(Self::Automaton)
    }

    /// Returns where the first needle at or after `from` stands, and which it is.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let hit = match self {
            Self::Packed(search) => search.find_in(text, (from..text.len()).into()),
            Self::Automaton(search) => search.find(Input::new(text).span(from..text.len())),
        };
        hit.map(|hit| (hit.start(), hit.pattern().as_usize()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn any_number_of_needles_is_found_at_every_place() {
        for count in [1, 2, 40, 200] {
            let needles: Vec<[u8; 4]> =
                (0..count).map(|n| [b'a' + n / 16, b'b', b'c' + n % 16, b'd']).collect();
            let search = Search::new(&needles).unwrap();
            for (index, needle) in needles.iter().enumerate() {
                for before in 0..40 {
                    let text = [&vec![b'.'; before][..], needle, b"...."].concat();
                    assert_eq!(search.find(&text, 0), Some((before, index)), "{count}");
                    assert_eq!(search.find(&text, before + 1), None);
                }
            }
        }
    }
}
