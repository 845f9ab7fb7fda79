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
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: JoinHandle<()>,
}

/// What the two threads share.
#[derive(Debug, Default)]
struct Clock {
    /// Set by the first call.
    engine: OnceLock<Engine>,
    running: AtomicBool,
    asleep: AtomicBool,
}

impl Ticker {
    /// Starts the thread, asleep. It is started before the worker closes its last filter, behind
    /// which nobody can start one.
    pub(crate) fn spawn() -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let theirs = clock.clone();
        let thread = Builder::new()
            .name("ticker".into())
            .stack_size(64 * 1024)
            .spawn(move || theirs.tick())?;
        Ok(Self { clock, thread })
    }

    /// Starts ticking for one call; the engine is the same for each.
    pub(crate) fn start(&self, engine: &Engine) {
        self.clock.engine.get_or_init(|| engine.clone());
        self.clock.running.store(true, Ordering::SeqCst);
        if self.clock.asleep.load(Ordering::SeqCst) {
            self.thread.thread().unpark();
        }
    }

    /// Stops ticking after a call.
    pub(crate) fn stop(&self) {
        self.clock.running.store(false, Ordering::SeqCst);
    }
}

impl Clock {
    fn tick(&self) {
        loop {
            self.asleep.store(true, Ordering::SeqCst);
            // A start before the line above found the thread awake; so look before sleeping.
            while !self.running.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            let mut idle = 0;
            while idle < LINGER {
                std::thread::sleep(TICK);
                if self.running.load(Ordering::SeqCst) {
                    idle = 0;
                    if let Some(engine) = self.engine.get() {
                        engine.increment_epoch();
                    }
                } else {
                    idle += 1;
                }
            }
        }
    }
}
