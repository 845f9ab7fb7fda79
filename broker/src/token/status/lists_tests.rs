#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use std::collections::BTreeSet;

const END: UnixMillis = UnixMillis(60_000);

fn lists() -> StatusLists {
    StatusLists::new("https://broker.example/status".into(), Bits::Two, 64)
}

/// Numbers that look random and are the same in every run (splitmix64).
fn draws(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        u32::try_from((mixed ^ (mixed >> 27)) >> 32).unwrap()
    }
}

#[test]
fn a_place_is_given_to_one_token_ever() {
    let (mut lists, mut draw) = (lists(), draws(1));
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let place = lists.choose(&mut draw);
        assert!(seen.insert(place), "{place:?} twice");
        assert!(lists.take(place, END));
        assert!(!lists.take(place, END), "taken");
    }
}

#[test]
fn half_of_a_list_stays_free_so_that_indices_stay_random() {
    let (mut lists, mut draw) = (lists(), draws(2));
    for _ in 0..100 {
        let place = lists.choose(&mut draw);
        assert!(lists.take(place, END));
    }
    let counts: Vec<u32> = lists.lists.values().map(|list| list.count).collect();
    assert_eq!(counts, [32, 32, 32, 4]);
    let first: Vec<u32> = (0..64).filter(|index| lists.lists[&1].has(*index)).collect();
    assert_ne!(first, (0..32).collect::<Vec<_>>());
}

#[test]
fn draws_that_are_not_random_open_a_new_list_and_give_nothing_twice() {
    let mut lists = lists();
    for number in 1..=3 {
        let place = lists.choose(|| 7);
        assert_eq!(place, StatusPlace { list: number, index: 7 });
        assert!(lists.take(place, END));
    }
}

#[test]
fn a_revoked_token_is_in_the_list_and_others_are_not() {
    let mut lists = lists();
    let (one, two) = (StatusPlace { list: 1, index: 3 }, StatusPlace { list: 1, index: 4 });
    assert!(lists.take(one, END) && lists.take(two, END));
    assert!(lists.set(one, Status::Invalid));
    assert_eq!(lists.get(one), Some(Status::Invalid));
    assert_eq!(lists.get(two), Some(Status::Valid));
    assert_eq!(lists.list(1).unwrap().get(3), Some(Status::Invalid));
    assert!(!lists.set(StatusPlace { list: 1, index: 5 }, Status::Invalid), "nobody's place");
    assert!(!lists.set(StatusPlace { list: 2, index: 3 }, Status::Invalid));
    let reference = lists.reference(one);
    assert_eq!((reference.index, reference.uri.as_str()), (3, "https://broker.example/status/1"));
}

#[test]
fn a_list_is_dropped_when_its_last_token_is_over_and_its_number_is_not_used_again() {
    let mut lists = lists();
    let (one, two) = (StatusPlace { list: 1, index: 0 }, StatusPlace { list: 2, index: 0 });
    assert!(lists.take(one, END));
    assert!(lists.take(two, END));
    lists.drop_ended(UnixMillis(64_999));
    assert_eq!(lists.iter().count(), 2);
    lists.drop_ended(UnixMillis(65_000));
    assert_eq!(lists.iter().map(|(number, _)| number).collect::<Vec<_>>(), [2]);
    assert!(!lists.take(StatusPlace { list: 1, index: 1 }, END));
    assert_eq!(lists.get(one), None);
}

#[test]
fn a_place_that_cannot_be_is_not_taken() {
    let mut lists = lists();
    for place in [
        StatusPlace { list: 0, index: 0 },
        StatusPlace { list: 2, index: 0 },
        StatusPlace { list: u32::MAX, index: 0 },
        StatusPlace { list: 1, index: 64 },
        StatusPlace { list: 1, index: u32::MAX },
    ] {
        assert!(!lists.take(place, END), "{place:?}");
        assert_eq!(lists.iter().count(), 0);
    }
}
