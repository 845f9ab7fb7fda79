//! Writers against a simple reference, whatever happens in between.

use super::*;
use proptest::prelude::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A job of one of two writers.
    Add(bool, u64),
    /// A commit that will fail without a trace.
    Fail(bool),
    /// A commit that others overtake.
    Overtake(bool),
    /// A writer is dropped and started again.
    Restart(bool),
    /// A writer takes in what the other wrote.
    CatchUp(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), 0..40u64).prop_map(|(which, n)| Step::Add(which, n)),
        1 => any::<bool>().prop_map(Step::Fail),
        1 => any::<bool>().prop_map(Step::Overtake),
        1 => any::<bool>().prop_map(Step::Restart),
        1 => any::<bool>().prop_map(Step::CatchUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_log_and_every_state_are_what_the_reference_says(steps in prop::collection::vec(step(), 1..40)) {
        let log = MemoryLedger::new();
        let ledgers = [Faulty::new(log.clone()), Faulty::new(log.clone())];
        let pace = Pace { snapshot: 5, ..Pace::default() };
        let mut writers = ledgers.clone().map(|ledger| spawn(ledger, pace));
        let mut reference: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Add(which, n) => {
                    let which = usize::from(which);
                    let failing = ledgers[which].failures.lock().unwrap().iter().rev()
                        .find(|error| !matches!(error, AppendError::Moved { .. })).cloned();
                    let sum: u64 = reference.iter().sum();
                    let answer = writers[which].0.transact_blocking(move |account: &Account| {
                        let drafts = if account.sum + n <= BOUND { vec![add(n)] } else { vec![] };
                        Decided { answer: !drafts.is_empty(), drafts }
                    });
                    match (failing, answer) {
                        (Some(_), answer) => prop_assert_eq!(answer, Err(WriteError::Unavailable(Cause::Full))),
                        (None, Ok(done)) => {
                            prop_assert_eq!(done.answer, sum + n <= BOUND);
                            if done.answer {
                                reference.push(n);
                            }
                        }
                        (None, Err(error)) => prop_assert!(false, "{error}"),
                    }
                }
                Step::Fail(which) => {
                    let mut failures = ledgers[usize::from(which)].failures.lock().unwrap();
                    failures.clear();
                    failures.push(AppendError::Unavailable(Cause::Full));
                }
                Step::Overtake(which) => {
                    let mut failures = ledgers[usize::from(which)].failures.lock().unwrap();
                    failures.clear();
                    failures.push(AppendError::Moved { head: Head::GENESIS });
                }
                Step::Restart(which) => {
                    let which = usize::from(which);
                    writers[which] = spawn(ledgers[which].clone(), pace);
                }
                Step::CatchUp(which) => {
                    let (writer, shown) = &writers[usize::from(which)];
                    let (reply, answer) = oneshot::channel();
                    writer.queue().blocking_send(Work::CatchUp(reply)).unwrap();
                    answer.blocking_recv().unwrap().unwrap();
                    prop_assert_eq!(*shown.sum.lock().unwrap(), reference.iter().sum::<u64>());
                }
            }
        }
        let logged: Vec<u64> = crate::ledger::tests::events(&log);
        prop_assert_eq!(logged, reference);
    }
}
