//! Counts what a guest's memories and tables hold, over the whole store.

use crate::outcome::LimitName;
use wasmtime::ResourceLimiter;
use writ_broker::Limits;

/// Bytes that one table element takes in wasmtime.
const ELEMENT: u64 = 8;

/// The bounds of one call and how far it went.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: u64,
    table_elements: u64,
    instances: usize,
    held: u64,
    peak: u64,
    last_growth: u64,
    hit: Option<LimitName>,
}

/// Ends the guest where it asked for more than it may have.
#[derive(Debug, thiserror::Error)]
#[error("a limit of the grant was hit")]
struct LimitHit;

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            table_elements: limits.table_elements,
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            held: 0,
            peak: 0,
            last_growth: 0,
            hit: None,
        }
    }

    /// Returns the most that was ever held, bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Returns the bound that ended the guest, if one did.
    pub(crate) fn hit(&self) -> Option<LimitName> {
        self.hit
    }

    fn grow(&mut self, by: u64) -> wasmtime::Result<bool> {
        let wanted = self.held.saturating_add(by);
        if wanted > self.memory {
            self.hit = Some(LimitName::Memory);
            return Err(LimitHit.into());
        }
        self.held = wanted;
        self.peak = self.peak.max(wanted);
        self.last_growth = by;
        Ok(true)
    }

    /// The growth that was just allowed did not happen.
    fn undo(&mut self) {
        self.held = self.held.saturating_sub(std::mem::take(&mut self.last_growth));
    }
}

/// A refused growth is an error and not a `-1`: the person then reads `memory` instead of whatever
/// the guest's allocator makes of a failed `memory.grow`.
impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum && (maximum as u64) < self.memory) {
            // The guest's own declared maximum: an ordinary failed growth, no bound of the grant.
            self.last_growth = 0;
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current) as u64)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired as u64 > self.table_elements {
            self.hit = Some(LimitName::Tables);
            return Err(LimitHit.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.last_growth = 0;
            return Ok(false);
        }
        self.grow((desired.saturating_sub(current) as u64).saturating_mul(ELEMENT))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    fn meter() -> Meter {
        Meter::new(&Limits { memory: 100, table_elements: 10, ..Limits::default() })
    }

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.table_growing(0, 5, None).unwrap());
        assert!(meter.memory_growing(0, 1, None).is_err());
        assert_eq!(meter.hit(), Some(LimitName::Memory));
        assert_eq!(meter.peak(), 100);
    }

    #[test]
    fn a_growth_that_did_not_happen_is_not_held() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, 60, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(meter.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn a_table_beyond_its_bound_is_named() {
        let mut meter = meter();
        assert!(meter.table_growing(0, 11, None).is_err());
        assert_eq!(meter.hit(), Some(LimitName::Tables));
    }

    #[test]
    fn a_memory_at_its_own_maximum_fails_in_the_ordinary_way() {
        let mut meter = meter();
        assert!(!meter.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(meter.hit(), None);
    }
}
