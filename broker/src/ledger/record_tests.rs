#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn draft(at: u64, event: Value) -> Result<Draft, InvalidDraft> {
    Draft::of(UnixMillis(at), &event)
}

/// Computed once by another program (`sha256sum`), so that no change here goes unnoticed.
#[test]
fn three_records_have_these_bytes_and_these_hashes() {
    let events = [
        json!({"event": "task", "task": "task-1", "about": "a \"site\"\n"}),
        json!({"event": "ask", "allowed": false, "zone": ["é", -3], "q": {"b": 1, "a": {}}}),
        json!({"event": "kill"}),
    ];
    let expected = [
        (
            r#"{"about":"a \"site\"\n","at":1000,"event":"task","prev":"0000000000000000000000000000000000000000000000000000000000000000","seq":1,"task":"task-1"}"#,
            "1c97eb4ad3d6b8e6e6d9c91e2da3358ed9cb2ebaa552a1a308a6daf894693104",
        ),
        (
            r#"{"allowed":false,"at":1001,"event":"ask","prev":"1c97eb4ad3d6b8e6e6d9c91e2da3358ed9cb2ebaa552a1a308a6daf894693104","q":{"a":{},"b":1},"seq":2,"zone":["é",-3]}"#,
            "830c46f4485a895ff4cc8045d1fa4b1de4264beeeab7dcd514627627215ab3aa",
        ),
        (
            r#"{"at":1002,"event":"kill","prev":"830c46f4485a895ff4cc8045d1fa4b1de4264beeeab7dcd514627627215ab3aa","seq":3}"#,
            "36112fb8cf60fd93267e5d13ffbdd8f0be4195edc0c826fac2c6ae41d56460b2",
        ),
    ];
    let mut head = Head::GENESIS;
    for ((event, at), (bytes, hash)) in events.into_iter().zip(1000..).zip(expected) {
        let record = draft(at, event).unwrap().seal(head);
        assert_eq!(std::str::from_utf8(record.bytes()).unwrap(), bytes);
        assert_eq!(record.hash().to_string(), hash);
        assert_eq!(record.follows(head), Ok(()));
        head = record.head();
    }
}

#[test]
fn an_event_is_read_back_as_its_type() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
    enum Event {
        Ended { task: String, code: u8 },
    }
    let event = Event::Ended { task: "task-1".into(), code: 3 };
    let record = Draft::of(UnixMillis(7), &event).unwrap().seal(Head::GENESIS);

    let read = Record::parse(record.bytes().to_vec()).unwrap();

    assert_eq!(read, record);
    assert_eq!(read.decode::<Event>().unwrap(), event);
    assert_eq!(read.event(), "ended");
    assert_eq!((read.seq(), read.at(), read.prev()), (1, UnixMillis(7), Digest::ZERO));
}

#[test]
fn an_event_that_is_none_is_refused_before_it_is_written() {
    let at = u64::pow(2, 53);
    assert_eq!(draft(1, json!({})), Err(InvalidDraft::NoEvent));
    assert_eq!(draft(1, json!({"event": ""})), Err(InvalidDraft::NoEvent));
    assert_eq!(draft(1, json!({"event": 1})), Err(InvalidDraft::NoEvent));
    assert_eq!(draft(1, json!(["event"])), Err(InvalidDraft::NotAnObject));
    assert_eq!(draft(at, json!({"event": "a"})), Err(NotCanonical::Number.into()));
    assert_eq!(draft(1, json!({"event": "a", "x": null})), Err(NotCanonical::Null.into()));
    for name in RESERVED {
        assert_eq!(draft(1, json!({"event": "a", name: 1})), Err(InvalidDraft::Reserved(name)));
    }
}

#[test]
fn a_record_is_never_larger_than_what_a_reader_takes() {
    let event = |size| json!({"event": "a", "x": "x".repeat(size)});
    let most = (LARGEST_RECORD - 400..LARGEST_RECORD)
        .rev()
        .find_map(|size| draft(canonical::LARGEST_INTEGER, event(size)).ok())
        .unwrap();
    let head = Head { seq: canonical::LARGEST_INTEGER - 1, hash: Digest([255; 32]) };
    let record = most.seal(head);
    assert!(record.bytes().len() <= LARGEST_RECORD);
    assert!(Record::parse(record.bytes().to_vec()).is_ok());
    assert!(matches!(draft(1, event(LARGEST_RECORD)), Err(InvalidDraft::TooLarge(_))));
    assert_eq!(Record::parse(vec![b' '; LARGEST_RECORD + 1]), Err(Fault::Malformed));
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let zeros = Digest::ZERO;
    for text in [
        "{}".to_owned(),
        format!(r#"{{"at":1,"event":"a","prev":"{zeros}"}}"#),
        format!(r#"{{"at":1,"event":"a","prev":"{zeros}","seq":0}}"#),
        format!(r#"{{"at":1,"event":"a","prev":"{zeros}","seq":"1"}}"#),
        format!(r#"{{"at":-1,"event":"a","prev":"{zeros}","seq":1}}"#),
        format!(r#"{{"at":1,"event":1,"prev":"{zeros}","seq":1}}"#),
        format!(r#"{{"at":1,"prev":"{zeros}","seq":1}}"#),
        r#"{"at":1,"event":"a","prev":"00","seq":1}"#.to_owned(),
        format!(r#"{{"event":"a","at":1,"prev":"{zeros}","seq":1}}"#),
    ] {
        assert_eq!(Record::parse(text.clone().into_bytes()), Err(Fault::Malformed), "{text}");
    }
}

#[test]
fn a_record_follows_only_from_the_one_it_names() {
    let first = draft(1, json!({"event": "a"})).unwrap().seal(Head::GENESIS);
    let second = draft(2, json!({"event": "b"})).unwrap().seal(first.head());
    assert_eq!(second.follows(first.head()), Ok(()));
    assert_eq!(second.follows(Head::GENESIS), Err(Fault::Misplaced));
    let other = Head { seq: 1, hash: Digest::of(b"other") };
    assert_eq!(second.follows(other), Err(Fault::Unchained));
}

proptest! {
    #[test]
    fn a_record_is_what_serde_json_makes_of_the_whole_object(
        names in prop::collection::btree_map("[a-z]{0,5}", any::<String>(), 0..8),
        at in 0..=canonical::LARGEST_INTEGER,
        seq in 0..canonical::LARGEST_INTEGER,
    ) {
        let mut whole: Map<String, Value> = names.into_iter().map(|(k, v)| (k, v.into())).collect();
        RESERVED.into_iter().for_each(|name| drop(whole.remove(name)));
        whole.insert("event".into(), "x".into());
        let head = Head { seq, hash: Digest::of(&seq.to_be_bytes()) };
        let record = Draft::new(UnixMillis(at), whole.clone()).unwrap().seal(head);
        whole.insert("at".into(), at.into());
        whole.insert("seq".into(), (seq + 1).into());
        whole.insert("prev".into(), head.hash.to_string().into());
        prop_assert_eq!(record.bytes(), serde_json::to_vec(&whole).unwrap());
        prop_assert_eq!(Record::parse(record.bytes().to_vec()), Ok(record));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::parse(bytes);
    }
}
