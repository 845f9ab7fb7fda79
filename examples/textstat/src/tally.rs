//! The counting itself: bytes in, figures out.

use std::collections::HashMap;

use crate::bindings::exports::example::textstat::text::{Stats, Word};

/// What has been counted so far.
#[derive(Default)]
pub(crate) struct Tally {
    lines: u64,
    words: u64,
    bytes: u64,
    longest_line: u64,
    frequency: HashMap<String, u64>,
}

impl Tally {
    /// Counts one file.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut tally = Self { bytes: bytes.len() as u64, ..Self::default() };
        for line in text.lines() {
            tally.lines += 1;
            tally.longest_line = tally.longest_line.max(line.chars().count() as u64);
            for word in words(line) {
                tally.words += 1;
                *tally.frequency.entry(word.to_lowercase()).or_default() += 1;
            }
        }
        tally
    }

    /// Adds the figures of another file.
    pub(crate) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
        self.longest_line = self.longest_line.max(other.longest_line);
        for (word, count) in other.frequency {
            *self.frequency.entry(word).or_default() += count;
        }
    }

    /// The figures, with the `top` most frequent words; equally frequent ones stand in order.
    pub(crate) fn stats(&self, top: u32) -> Stats {
        let mut ranked: Vec<(&String, &u64)> = self.frequency.iter().collect();
        ranked.sort_by(|(word, count), (other, more)| more.cmp(count).then(word.cmp(other)));
        let top = usize::try_from(top).unwrap_or(usize::MAX);
        let word = |(text, count): (&String, &u64)| Word { text: text.clone(), count: *count };
        Stats {
            lines: self.lines,
            words: self.words,
            bytes: self.bytes,
            longest_line: self.longest_line,
            top_words: ranked.into_iter().take(top).map(word).collect(),
        }
    }
}

/// Splits a line into runs of letters and digits, with apostrophes and hyphens inside.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-'))
        .map(|word| word.trim_matches(['\'', '’', '-']))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_words_and_bytes_are_counted() {
        let stats = Tally::of(b"one two\nthree\n").stats(0);
        assert_eq!((stats.lines, stats.words, stats.bytes), (2, 3, 14));
    }

    #[test]
    fn a_last_line_without_an_end_counts() {
        assert_eq!(Tally::of(b"a\nb").stats(0).lines, 2);
        assert_eq!(Tally::of(b"").stats(0).lines, 0);
    }

    #[test]
    fn the_longest_line_is_measured_in_characters() {
        assert_eq!(Tally::of("añb\r\nc".as_bytes()).stats(0).longest_line, 3);
    }

    #[test]
    fn words_are_ranked_by_frequency_and_then_by_name() {
        let stats = Tally::of(b"b a B c a z's -x-").stats(3);
        let ranked: Vec<_> = stats.top_words.iter().map(|w| (w.text.as_str(), w.count)).collect();
        assert_eq!(ranked, [("a", 2), ("b", 2), ("c", 1)]);
    }

    #[test]
    fn apostrophes_and_hyphens_belong_to_a_word_only_inside_it() {
        assert_eq!(
            words("don't 'stop' re-do -- it-").collect::<Vec<_>>(),
            ["don't", "stop", "re-do", "it"]
        );
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_count() {
        let stats = Tally::of(b"ok \xff\xfe\nnext").stats(0);
        assert_eq!((stats.lines, stats.words, stats.bytes), (2, 2, 10));
    }

    #[test]
    fn files_add_up_to_a_total() {
        let mut total = Tally::of(b"a b\n");
        total.add(Tally::of(b"a long line\n"));
        let stats = total.stats(1);
        assert_eq!((stats.lines, stats.words, stats.bytes, stats.longest_line), (2, 5, 16, 11));
        assert_eq!((stats.top_words[0].text.as_str(), stats.top_words[0].count), ("a", 2));
    }
}
