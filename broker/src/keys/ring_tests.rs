#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::keys::{LocalKey, Signer};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn jwk() -> PublicJwk {
    *LocalKey::generate().unwrap().public_jwk()
}

fn carry_out(ring: &mut KeyRing, events: &[KeyEvent], at: UnixMillis) {
    for event in events {
        ring.apply(event, at);
    }
}

/// A ring whose first key signs, and the second key, published at `NOW`.
fn ring() -> (KeyRing, PublicJwk, PublicJwk) {
    let (first, second) = (jwk(), jwk());
    let mut ring = KeyRing::new(Purpose::Access);
    for key in [first, second] {
        let events = ring.publish(key, ring.next_generation(), NOW).unwrap();
        carry_out(&mut ring, &events, NOW);
    }
    (ring, first, second)
}

fn shows(ring: &KeyRing, key: &PublicJwk, at: UnixMillis) -> bool {
    ring.jwks(at).keys().contains(key)
}

#[test]
fn the_first_key_signs_at_once_and_the_second_waits() {
    let (ring, first, second) = ring();
    assert_eq!(ring.current().unwrap().jwk, first);
    assert_eq!(ring.next().unwrap().jwk, second);
    assert_eq!(ring.generations().collect::<Vec<_>>(), [1, 2]);
    assert!(shows(&ring, &first, NOW) && shows(&ring, &second, NOW));
    assert_eq!(ring.publish(jwk(), 3, NOW), Err(RingError::NextExists));
}

#[test]
fn a_key_signs_only_after_every_checker_can_know_it() {
    let (ring, ..) = ring();
    let ready = later(NOW, PUBLISH_AHEAD);
    assert_eq!(ring.rotate(UnixMillis(ready.0 - 1)), Err(RingError::TooEarly { ready }));
    assert!(ring.rotate(ready).is_ok());
    assert_eq!(KeyRing::new(Purpose::Access).rotate(ready), Err(RingError::NoNext));
}

#[test]
fn a_retired_key_is_checked_until_its_last_token_is_over() {
    let (mut ring, first, second) = ring();
    let at = later(NOW, PUBLISH_AHEAD);
    let events = ring.rotate(at).unwrap();
    carry_out(&mut ring, &events, at);
    assert_eq!(ring.current().unwrap().jwk, second);
    assert!(ring.next().is_none());
    assert_eq!(ring.generations().collect::<Vec<_>>(), [2]);
    let end = later(at, RETIRE_AFTER);
    assert!(shows(&ring, &first, UnixMillis(end.0 - 1)));
    assert!(!shows(&ring, &first, end));
    // It is forgotten with the next change.
    let events = ring.publish(jwk(), 3, end).unwrap();
    carry_out(&mut ring, &events, end);
    assert!(ring.find(first.thumbprint()).is_none());
}

#[test]
fn a_stolen_key_is_gone_at_once_and_the_next_takes_its_place() {
    let (mut ring, first, second) = ring();
    let events = ring.emergency_remove(first.thumbprint(), NOW).unwrap();
    carry_out(&mut ring, &events, NOW);
    assert_eq!(ring.current().unwrap().jwk, second);
    assert_eq!(ring.jwks(NOW).keys(), [second]);
    let events = ring.emergency_remove(second.thumbprint(), NOW).unwrap();
    carry_out(&mut ring, &events, NOW);
    assert!(ring.current().is_none());
    assert!(ring.jwks(NOW).keys().is_empty());
    assert_eq!(ring.emergency_remove(second.thumbprint(), NOW), Err(RingError::NoSuchKey));
    assert_eq!(ring.next_generation(), 3, "numbers are not used again");
}

#[test]
fn a_next_or_retiring_key_can_be_removed_too() {
    let (mut ring, first, second) = ring();
    let at = later(NOW, PUBLISH_AHEAD);
    let mut without_next = ring.clone();
    let events = without_next.emergency_remove(second.thumbprint(), at).unwrap();
    assert_eq!(events.len(), 1);
    carry_out(&mut without_next, &events, at);
    assert_eq!(without_next.jwks(at).keys(), [first]);

    let events = ring.rotate(at).unwrap();
    carry_out(&mut ring, &events, at);
    let events = ring.emergency_remove(first.thumbprint(), at).unwrap();
    carry_out(&mut ring, &events, at);
    assert_eq!(ring.jwks(at).keys(), [second]);
}

#[test]
fn a_key_is_published_once() {
    let (mut ring, first, second) = ring();
    let events = ring.emergency_remove(second.thumbprint(), NOW).unwrap();
    carry_out(&mut ring, &events, NOW);
    assert_eq!(ring.publish(first, 3, NOW), Err(RingError::NotNew));
    assert_eq!(ring.publish(jwk(), 2, NOW), Err(RingError::NotNew));
    assert_eq!(ring.publish(jwk(), 4, NOW), Err(RingError::NotNew));
}

#[test]
fn a_promotion_of_a_key_that_is_not_next_changes_nothing() {
    let (mut ring, first, _) = ring();
    let before = ring.clone();
    ring.apply(&KeyEvent::Promoted { kid: first.thumbprint(), retire_at: NOW }, NOW);
    assert_eq!(ring, before);
}

#[test]
fn a_ring_and_its_changes_come_back_from_json_as_they_went() {
    let (ring, ..) = ring();
    let text = serde_json::to_string(&ring).unwrap();
    assert_eq!(serde_json::from_str::<KeyRing>(&text).unwrap(), ring);
    let events = ring.emergency_remove(ring.current().unwrap().jwk.thumbprint(), NOW).unwrap();
    let text = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<KeyEvent>>(&text).unwrap(), events);
    assert!(!text.contains("null") && !text.contains('.'), "the ledger keeps neither: {text}");
}
