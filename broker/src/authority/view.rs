//! What the ledger says now, for those who only read it.

use crate::ledger::{Head, Ledger, ReadError, Subscription, Unfit};
use crate::state::State;
use std::sync::Arc;

/// Why there is no view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A later version wrote it.
    #[error("record {seq} of the ledger cannot be followed: {unfit}")]
    Astray {
        /// Its number.
        seq: u64,
        /// Why.
        unfit: Unfit,
    },
}

/// The state at some record, and the way to the next ones. It takes no lock that a writer needs.
pub struct View {
    ledger: Arc<dyn Ledger>,
    state: State,
    head: Head,
    following: Subscription,
}

impl View {
    /// Reads the ledger to its end.
    pub fn open(ledger: Arc<dyn Ledger>) -> Result<Self, ViewError> {
        let snapshot = ledger.latest_snapshot()?.and_then(|snapshot| {
            let state = serde_json::from_slice(&snapshot.bytes).ok()?;
            Some((snapshot.head, state))
        });
        // A snapshot of another version is no loss: the log has everything.
        let (head, state) = snapshot.unwrap_or((Head::GENESIS, State::default()));
        let following = ledger.subscribe(head.seq + 1);
        let mut view = Self { ledger, state, head, following };
        view.catch_up()?;
        Ok(view)
    }

    /// Returns what is so.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the last record that is in it.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Takes in what is there.
    pub fn catch_up(&mut self) -> Result<(), ViewError> {
        while let Some(records) = self.following.ready()? {
            self.take(&records)?;
        }
        Ok(())
    }

    /// Waits for what comes next and takes it in.
    pub async fn changed(&mut self) -> Result<(), ViewError> {
        let records = self.following.next().await?;
        self.take(&records)
    }

    /// Returns the ledger that is read.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    fn take(&mut self, records: &[crate::ledger::Record]) -> Result<(), ViewError> {
        for record in records {
            let astray = |error: serde_json::Error| ViewError::Astray {
                seq: record.seq(),
                unfit: Unfit(error.to_string()),
            };
            self.state.apply(record.at(), &record.decode().map_err(astray)?);
            self.head = record.head();
        }
        Ok(())
    }
}
