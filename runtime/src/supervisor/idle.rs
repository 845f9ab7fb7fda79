//! The worker of a task while no call runs.
//!
//! Nobody listens to it then, so it has nothing to say, nothing to send, and no longer to live than its
//! task.

use super::running::Running;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// Where a worker waits for the next call. It is ended at the task's deadline, also if nobody comes.
pub(super) struct Idle {
    /// Locked for longer only by who ends the worker: whoever wants it then must wait for its end.
    slot: Arc<Mutex<Option<Running>>>,
    deadline: Option<Instant>,
    watch: Option<AbortHandle>,
}

impl Idle {
    /// Makes an empty place and watches the clock. Must be called within a tokio runtime.
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        let slot = Arc::new(Mutex::new(None::<Running>));
        let watch = deadline.map(|deadline| {
            // Weak, so that a task that is dropped takes its worker along at once.
            let slot = Arc::downgrade(&slot);
            let watch = tokio::spawn(async move {
                tokio::time::sleep_until(deadline.into()).await;
                let Some(slot) = slot.upgrade() else { return };
                let mut slot = slot.lock().await;
                if let Some(running) = slot.take() {
                    running.end().await;
                }
            });
            watch.abort_handle()
        });
        Self { slot, deadline, watch }
    }

    /// Leaves a worker here after a call.
    pub(super) async fn put(&self, running: Running) {
        running.link.pause();
        let mut slot = self.slot.lock().await;
        // The watch looks once, at the deadline.
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            running.end().await;
        } else {
            *slot = Some(running);
        }
    }

    /// Takes the worker for a call, or to end it.
    pub(super) async fn take(&self) -> Option<Running> {
        self.slot.lock().await.take()
    }

    /// Returns the process id of the worker that waits here.
    pub(super) fn worker_id(&self) -> Option<u32> {
        self.slot.try_lock().ok()?.as_ref()?.worker.id()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}
