//! Looking for a short while before sleeping.
//!
//! A processor that sleeps takes tens of microseconds to wake up, longer than a short call takes. But
//! looking is only worth it if the other side runs meanwhile: on a busy machine, or if it has more to do,
//! it keeps a processor from somebody else. So a side that has looked in vain sleeps at once the next
//! time, and the more often it was in vain, the more times.

use std::time::Duration;

/// How long to look: as long as a short call takes whose worker has to wake up.
const LOOK: Duration = Duration::from_micros(100);

/// How many times in a row to sleep at once, at most. Then it is tried again.
const MOST: u32 = 63;

/// Whether looking has been worth it lately.
#[derive(Debug)]
pub(crate) struct Alertness {
    look: Duration,
    /// How many times to sleep at once after the last look that was in vain.
    wary: u32,
    /// How many of them are left.
    left: u32,
}

impl Alertness {
    /// For this process. A single processor is left to the other side.
    pub(crate) fn new() -> Self {
        let look = match rustix::thread::sched_getaffinity(None) {
            Ok(processors) if processors.count() > 1 => LOOK,
            _ => Duration::ZERO,
        };
        Self { look, wary: 0, left: 0 }
    }

    #[cfg(test)]
    pub(crate) fn of(look: Duration) -> Self {
        Self { look, wary: 0, left: 0 }
    }

    /// Returns how long to look this time.
    pub(crate) fn look(&mut self) -> Duration {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Duration::ZERO
            }
            None => self.look,
        }
    }

    /// Takes note of what came of a look.
    pub(crate) fn looked(&mut self, found: bool) {
        self.wary = if found { 0 } else { (2 * self.wary + 1).min(MOST) };
        self.left = self.wary;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the looks in a number of waits that are all in vain.
    fn looks_in_vain(alertness: &mut Alertness, waits: u32) -> u32 {
        let mut looks = 0;
        for _ in 0..waits {
            if !alertness.look().is_zero() {
                alertness.looked(false);
                looks += 1;
            }
        }
        looks
    }

    #[test]
    fn who_looks_in_vain_looks_ever_less_often() {
        let mut alertness = Alertness::of(LOOK);
        assert_eq!(looks_in_vain(&mut alertness, 120), 6, "after 1, 3, 7, 15, 31 and 63");
        assert_eq!(looks_in_vain(&mut alertness, 640), 10, "but never gives up");
    }

    #[test]
    fn who_finds_something_looks_again() {
        let mut alertness = Alertness::of(LOOK);
        looks_in_vain(&mut alertness, 120);
        alertness.looked(true);
        assert_eq!(alertness.look(), LOOK);
    }
}
