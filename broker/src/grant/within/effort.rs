//! A bound on the work of comparing two grants.

use super::Wider;
use std::cell::Cell;

/// The most comparisons of two patterns, methods or ranges. A child's grant may come from an agent,
/// and two files of the largest size could ask for a thousand times as many; without a bound, asking for a
/// child could hold a core of the host for minutes.
const MOST: usize = 10_000_000;

/// What is left of the work that one comparison of grants may make.
pub(super) struct Effort(Cell<usize>);

impl Default for Effort {
    fn default() -> Self {
        Self(Cell::new(MOST))
    }
}

impl Effort {
    /// Takes some comparisons, and reports whether they may be made.
    pub(super) fn spend(&self, comparisons: usize) -> bool {
        let left = self.0.get().saturating_sub(comparisons);
        self.0.set(left);
        left > 0
    }

    /// Returns the refusal that follows if not everything was compared.
    pub(super) fn too_much(&self) -> Option<Wider> {
        (self.0.get() == 0).then(|| {
            Wider::new("[[http]], [[tcp]]", "the rules are too many to be compared")
                .help("name fewer rules, paths or ranges")
        })
    }
}
