//! A sign of life for work that takes long, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use writ_broker::text::printable;

/// How long work may take before anything is shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line on standard error that shows what is going on and for how long.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Option<tokio::task::JoinHandle<()>>,
    bar: ProgressBar,
}

impl Progress {
    /// Starts the line; it appears if the work is not done within half a second.
    pub(crate) fn start(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(printable(what).into_owned());
        let shown = std::io::stderr().is_terminal().then(|| {
            let bar = bar.clone();
            tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(100));
            })
        });
        Self { shown, bar }
    }
}

/// The line goes when the work is done, however it ended.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = self.shown.take() {
            shown.abort();
        }
        self.bar.finish_and_clear();
    }
}
