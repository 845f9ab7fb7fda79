#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::base64url;
use proptest::prelude::*;

/// §4.1 of the draft: the examples, as lists of values.
const ONE_BIT: [u8; 16] = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
const TWO_BITS: [u8; 12] = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];

#[test]
fn the_examples_of_the_draft_are_unpacked_as_it_says() {
    let values = |bits, packed: &str, count: u32| -> Vec<u8> {
        let list = Statuses::unpack(bits, &base64url::decode(packed).unwrap()).unwrap();
        let value = |index| match list.get(index) {
            Some(Status::Valid) => 0,
            Some(Status::Invalid) => 1,
            Some(Status::Suspended) => 2,
            None => 3,
        };
        (0..count).map(value).collect()
    };
    assert_eq!(values(Bits::One, "eNrbuRgAAhcBXQ", 16), ONE_BIT);
    assert_eq!(values(Bits::Two, "eNo76fITAAPfAgc", 12), TWO_BITS);
}

#[test]
fn the_bits_are_where_the_draft_has_them() {
    let mut list = Statuses::new(Bits::One, 16);
    for (index, value) in ONE_BIT.into_iter().enumerate() {
        let status = if value == 1 { Status::Invalid } else { Status::Valid };
        assert!(list.set(u32::try_from(index).unwrap(), status));
    }
    assert_eq!(list.bytes, [0xb9, 0xa3]);
}

#[test]
fn an_index_that_is_not_in_the_list_has_no_status() {
    let mut list = Statuses::new(Bits::One, 16);
    assert_eq!(list.get(15), Some(Status::Valid));
    for index in [16, 17, u32::MAX] {
        assert_eq!(list.get(index), None);
        assert!(!list.set(index, Status::Invalid));
    }
    assert!(!list.set(0, Status::Suspended), "one bit cannot say it");
    assert_eq!(Statuses::new(Bits::One, 0).get(0), None);
}

#[test]
fn a_list_that_unpacks_to_too_much_or_to_nothing_sensible_is_refused() {
    let bomb = compress_to_vec_zlib(&vec![0; 100 << 20], 9);
    assert!(bomb.len() < LARGEST_UNPACKED);
    assert_eq!(Statuses::unpack(Bits::One, &bomb), None);
    let most = compress_to_vec_zlib(&vec![0; LARGEST_UNPACKED], 9);
    assert!(Statuses::unpack(Bits::One, &most).is_some());
    let good = Statuses::new(Bits::One, 16).pack();
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    let raw = miniz_oxide::deflate::compress_to_vec(&[0; 2], 6);
    for packed in [&[][..], &[0], &good[..good.len() - 1], &broken, &raw] {
        assert_eq!(Statuses::unpack(Bits::One, packed), None, "{packed:x?}");
    }
}

proptest! {
    #[test]
    fn setting_one_status_changes_no_other(sets in prop::collection::vec((0u32..100, 0u8..3), 0..50)) {
        let mut list = Statuses::new(Bits::Two, 100);
        let mut plain = [Status::Valid; 100];
        for (index, value) in sets {
            let status = [Status::Valid, Status::Invalid, Status::Suspended][usize::from(value)];
            prop_assert!(list.set(index, status));
            plain[index as usize] = status;
        }
        let unpacked = Statuses::unpack(Bits::Two, &list.pack()).unwrap();
        prop_assert_eq!(&unpacked, &list);
        for (index, status) in (0..).zip(plain) {
            prop_assert_eq!(unpacked.get(index), Some(status));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = Statuses::unpack(Bits::Two, &bytes);
    }
}
