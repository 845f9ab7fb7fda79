//! The clock that makes a spinning guest let go of the thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use wasmtime::Engine;

/// How long a guest may keep the thread, and so how long a cancel may wait to be heard.
const TICK: Duration = Duration::from_millis(10);

/// Ticks that the thread stays awake after a call, so that calls in a row need not wake it.
const LINGER: u32 = 10;

/// Increments the engine's epoch while a call runs; sleeps while none does.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    running: Arc<AtomicBool>,
    asleep: Arc<AtomicBool>,
    thread: OnceLock<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking for one call.
    pub(crate) fn start(&self, engine: &Engine) -> std::io::Result<()> {
        self.running.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            if self.asleep.load(Ordering::SeqCst) {
                thread.thread().unpark();
            }
            return Ok(());
        }
        let (engine, running, asleep) = (engine.clone(), self.running.clone(), self.asleep.clone());
        let thread = Builder::new()
            .name("ticker".into())
            .stack_size(64 * 1024)
            .spawn(move || tick(&engine, &running, &asleep))?;
        // Only this thread starts the ticker, so the cell is empty.
        let _ = self.thread.set(thread);
        Ok(())
    }

    /// Stops ticking after a call.
    pub(crate) fn stop(&self) {
        self.running.store(false, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, running: &AtomicBool, asleep: &AtomicBool) {
    let mut idle = 0;
    loop {
        std::thread::sleep(TICK);
        if running.load(Ordering::SeqCst) {
            idle = 0;
            engine.increment_epoch();
            continue;
        }
        idle += 1;
        if idle < LINGER {
            continue;
        }
        asleep.store(true, Ordering::SeqCst);
        // A start between the look above and this line found the thread awake; look again.
        while !running.load(Ordering::SeqCst) {
            std::thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
