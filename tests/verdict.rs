//! What a run was refused, by its report and by its log, which must say the same.

use crate::harness::Writ;
use crate::schema;
use serde_json::Value;
use writ_broker::text::printable;

/// A finished run: its report, and one event per decision.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) report: Value,
    pub(crate) events: Vec<Value>,
    log: String,
}

impl Verdict {
    /// Runs `writ … --json` with a structured log of its decisions.
    pub(crate) fn of(run: Writ) -> Self {
        let run = run.env("WRIT_LOG", "writ::decision=info").env("WRIT_LOG_FORMAT", "json");
        let ran = run.done();
        let report = schema::read(&ran.stdout);
        let lines = ran.stderr.lines().filter(|line| line.starts_with('{'));
        let events = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["target"] == "writ::decision")
            .map(|event| event["fields"].clone())
            .collect();
        Self { report, events, log: ran.stderr }
    }

    /// What the guest printed.
    pub(crate) fn stdout(&self) -> &str {
        self.report["stdout"].as_str().unwrap_or_else(|| panic!("nothing was run: {self:?}"))
    }

    /// Everything that was written to standard error.
    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    /// Code and target of each refusal in the report.
    pub(crate) fn denials(&self) -> Vec<(&str, &str)> {
        let denials = self.report["denials"].as_array().unwrap();
        denials
            .iter()
            .map(|denial| (denial["code"].as_str().unwrap(), denial["target"].as_str().unwrap()))
            .collect()
    }

    /// What was allowed and recorded, in order.
    pub(crate) fn allowed(&self) -> Vec<&str> {
        let allowed = self.events.iter().filter(|event| event["decision"] == "allow");
        allowed.map(|event| event["target"].as_str().unwrap()).collect()
    }

    /// Asserts that exactly these were refused, each reported once and recorded once.
    #[track_caller]
    pub(crate) fn denied(&self, expected: &[(&str, &str)]) -> &Self {
        assert_eq!(self.denials(), expected, "{self:#?}");
        let recorded: Vec<(&str, &str)> = self
            .events
            .iter()
            .filter(|event| event["decision"] == "forbid")
            .map(|event| (event["code"].as_str().unwrap(), event["target"].as_str().unwrap()))
            .collect();
        let shown: Vec<_> =
            expected.iter().map(|(code, target)| (*code, printable(target))).collect();
        let shown: Vec<(&str, &str)> =
            shown.iter().map(|(code, target)| (*code, &**target)).collect();
        assert_eq!(recorded, shown, "{self:#?}");
        let task = &self.report["task"];
        assert!(self.events.iter().all(|event| event["task"] == *task), "{self:#?}");
        self
    }

    /// Asserts that nothing was refused and the tool succeeded with this output.
    #[track_caller]
    pub(crate) fn worked(&self, output: &str) -> &Self {
        self.denied(&[]);
        assert_eq!(self.report["outcome"], "exited", "{self:#?}");
        assert_eq!(self.report["exit_code"], 0, "{self:#?}");
        assert!(self.stdout().contains(output), "{self:#?}");
        self
    }

    /// Asserts that the tool itself said that it failed, with this in its output.
    #[track_caller]
    pub(crate) fn failed(&self, output: &str) -> &Self {
        assert_eq!(self.report["outcome"], "exited", "{self:#?}");
        assert_eq!(self.report["exit_code"], 1, "{self:#?}");
        assert!(self.stdout().contains(output), "{self:#?}");
        self
    }

    /// Asserts that the task was ended by this bound.
    #[track_caller]
    pub(crate) fn over(&self, limit: &str) -> &Self {
        assert_eq!(self.report["outcome"], "over_limit", "{self:#?}");
        assert_eq!(self.report["limit"], limit, "{self:#?}");
        let ends = self.events.iter().filter(|event| event["decision"] == "over_limit");
        let ends: Vec<_> = ends.map(|event| &event["limit"]).collect();
        assert_eq!(ends, [limit], "{self:#?}");
        assert_eq!(self.report["exit_code"], 7, "{self:#?}");
        self
    }
}
