//! Which token has which place in which list.

use super::{Bits, Status, Statuses};
use crate::clock::UnixMillis;
use crate::token::{SKEW, StatusReference};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many draws are made for a free index. At most half of a list is taken, so that many fail
/// only if the draws are not random.
const DRAWS: usize = 128;

/// A place in a list: given to one token, and never to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StatusPlace {
    /// The number of the list, from 1.
    pub list: u32,
    /// The index in it.
    pub index: u32,
}

/// The lists of one broker. It is what its places and statuses make it.
///
/// Indices are drawn at random, so that neighbours say nothing about each other (§13.2), and a list
/// is followed by a new one when half of it is taken. A list is dropped whole when its last token
/// is over; an index is never given out twice.
#[derive(Debug, Clone)]
pub struct StatusLists {
    base: String,
    bits: Bits,
    /// A power of two, so that a draw is a mask and every index is as likely.
    entries: u32,
    lists: BTreeMap<u32, List>,
    newest: u32,
}

#[derive(Debug, Clone)]
struct List {
    statuses: Statuses,
    taken: Vec<u64>,
    count: u32,
    /// When its last token is over.
    until: UnixMillis,
}

impl StatusLists {
    /// Starts without a list. Lists are named `{base}/{number}` and have `entries`, rounded up to a
    /// power of two from 64 to 2²⁰.
    pub fn new(base: String, bits: Bits, entries: u32) -> Self {
        let entries = entries.clamp(64, 1 << 20).next_power_of_two();
        Self { base, bits, entries, lists: BTreeMap::new(), newest: 0 }
    }

    /// Chooses a free place, drawing random numbers; it may be the first of a new list.
    ///
    /// Nothing is taken before [`take`](Self::take): two choices without it could be the same.
    pub fn choose(&self, mut draw: impl FnMut() -> u32) -> StatusPlace {
        let mask = self.entries - 1;
        let open = self.lists.get(&self.newest).filter(|list| list.count < self.entries / 2);
        let free =
            open.and_then(|list| (0..DRAWS).map(|_| draw() & mask).find(|index| !list.has(*index)));
        match free {
            Some(index) => StatusPlace { list: self.newest, index },
            None => StatusPlace { list: self.newest + 1, index: draw() & mask },
        }
    }

    /// Takes a place for a token that is over at `until`; false if it is taken or cannot be.
    #[must_use]
    pub fn take(&mut self, place: StatusPlace, until: UnixMillis) -> bool {
        let StatusPlace { list, index } = place;
        let is_new = list == self.newest.saturating_add(1);
        if index >= self.entries || !(is_new || self.lists.contains_key(&list)) {
            return false;
        }
        let (bits, entries) = (self.bits, self.entries);
        let list = self.lists.entry(list).or_insert_with(|| List::new(bits, entries));
        let fits = list.take(index, until);
        self.newest += u32::from(is_new);
        fits
    }

    /// Sets the status of a place; false if it was never taken or its list is gone.
    #[must_use]
    pub fn set(&mut self, place: StatusPlace, status: Status) -> bool {
        let list = self.lists.get_mut(&place.list).filter(|list| list.has(place.index));
        list.is_some_and(|list| list.statuses.set(place.index, status))
    }

    /// Returns the status of a place; none if it was never taken or its list is gone.
    pub fn get(&self, place: StatusPlace) -> Option<Status> {
        let list = self.lists.get(&place.list).filter(|list| list.has(place.index))?;
        list.statuses.get(place.index)
    }

    /// Drops the lists whose tokens are all over, but for the newest, whose places are not used up.
    pub fn drop_ended(&mut self, now: UnixMillis) {
        let newest = self.newest;
        let ended = |list: &List| list.until.checked_add(SKEW).is_some_and(|end| end <= now);
        self.lists.retain(|number, list| *number == newest || !ended(list));
    }

    /// Returns the lists by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Statuses)> {
        self.lists.iter().map(|(number, list)| (*number, &list.statuses))
    }

    /// Returns a list.
    pub fn list(&self, number: u32) -> Option<&Statuses> {
        self.lists.get(&number).map(|list| &list.statuses)
    }

    /// Returns the address of a list, which is also its name.
    pub fn uri(&self, number: u32) -> String {
        format!("{}/{number}", self.base)
    }

    /// Returns what a token says of its place.
    pub fn reference(&self, place: StatusPlace) -> StatusReference {
        StatusReference { index: place.index, uri: self.uri(place.list) }
    }
}

impl List {
    fn new(bits: Bits, entries: u32) -> Self {
        let words = (entries / 64) as usize;
        let statuses = Statuses::new(bits, entries);
        Self { statuses, taken: vec![0; words], count: 0, until: UnixMillis(0) }
    }

    fn has(&self, index: u32) -> bool {
        self.taken.get((index / 64) as usize).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn take(&mut self, index: u32, until: UnixMillis) -> bool {
        if self.has(index) {
            return false;
        }
        self.taken[(index / 64) as usize] |= 1 << (index % 64);
        self.count += 1;
        self.until = self.until.max(until);
        true
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
