//! The result: one row per claim, in the form that the README shows.

use std::fmt;
use std::time::Duration;

/// All rows.
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    measured: String,
    against: String,
    ratio: String,
    mark: String,
    kept: Option<bool>,
}

/// The middle and the end of what was measured.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Spread {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        Self { p50: at(0.50), p99: at(0.99) }
    }
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row and shows it at once.
    pub(crate) fn row(
        &mut self,
        what: &str,
        measured: impl fmt::Display,
        against: impl fmt::Display,
        ratio: impl fmt::Display,
        mark: &str,
        kept: Option<bool>,
    ) {
        let row = Row {
            what: what.into(),
            measured: measured.to_string(),
            against: against.to_string(),
            ratio: ratio.to_string(),
            mark: mark.into(),
            kept,
        };
        println!("{row}");
        self.rows.push(row);
    }
}

/// Prints a time in the unit that suits it.
pub(crate) fn time(time: Duration) -> String {
    match time.as_nanos() {
        0..100_000 => format!("{:.1} µs", time.as_nanos() as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} µs", time.as_nanos() as f64 / 1e3),
        _ => format!("{:.1} ms", time.as_nanos() as f64 / 1e6),
    }
}

/// Prints a ratio.
pub(crate) fn times(measured: Duration, against: Duration) -> (f64, String) {
    let ratio = measured.as_secs_f64() / against.as_secs_f64();
    (ratio, format!("{ratio:.2}×"))
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = match self.kept {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "",
        };
        let Self { what, measured, against, ratio, mark, .. } = self;
        write!(f, "| {what} | {measured} | {against} | {ratio} | {mark} {kept} |")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| what | measured | against | ratio | mark |\n|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
