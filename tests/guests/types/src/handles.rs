//! The interface whose functions cannot be called with JSON.

use crate::Types;
use crate::bindings::exports::test::types::handles::{Counter, CounterBorrow, Guest, GuestCounter};

/// What the resource is on this side.
pub(crate) struct Number(u32);

impl Guest for Types {
    type Counter = Number;

    fn open() -> Counter {
        Counter::new(Number(7))
    }

    fn close(_: Counter) {}

    fn peek(counter: CounterBorrow<'_>) -> u32 {
        counter.get::<Number>().0
    }

    fn buried() -> Vec<Option<Counter>> {
        vec![None, Some(Self::open())]
    }
}

impl GuestCounter for Number {
    fn new(start: u32) -> Self {
        Self(start)
    }

    fn value(&self) -> u32 {
        self.0
    }
}
