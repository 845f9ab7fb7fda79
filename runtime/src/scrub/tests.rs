#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;

fn patterns(secrets: &[&str]) -> Arc<Patterns> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Arc::new(Patterns::new(&secrets).unwrap())
}

/// Scrubs a body that arrives in these pieces.
fn scrubbed<'a>(patterns: &Arc<Patterns>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = Stream::new(Arc::clone(patterns));
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.pass(Bytes::copy_from_slice(piece)));
    }
    out.extend(stream.finish().unwrap_or_default());
    out
}

fn whole(patterns: &Arc<Patterns>, text: &str) -> String {
    String::from_utf8(scrubbed(patterns, [text.as_bytes()])).unwrap()
}

const SECRET: &str = "s3cr3t/to+ken~42";

fn every_form() -> Vec<Vec<u8>> {
    forms::of(SECRET.as_bytes()).into_iter().map(|form| form.to_vec()).collect()
}

#[test]
fn every_form_is_replaced_at_every_cut_and_lengths_stay() {
    let patterns = patterns(&[SECRET]);
    for form in every_form() {
        let text = [b"before ", &form[..], b" after"].concat();
        let clean = [b"before ", &vec![b'*'; form.len()][..], b" after"].concat();
        for cut in 0..=text.len() {
            let (a, b) = text.split_at(cut);
            assert_eq!(scrubbed(&patterns, [a, b]), clean, "cut at {cut}");
        }
        assert_eq!(scrubbed(&patterns, text.chunks(1)), clean);
    }
}

#[test]
fn what_is_no_secret_passes_untouched_and_at_once() {
    let patterns = patterns(&[SECRET]);
    for text in ["", "plain", "s3cr3t/t is not all of it", "data: an event\n\n"] {
        let mut stream = Stream::new(Arc::clone(&patterns));
        let piece = Bytes::copy_from_slice(text.as_bytes());
        assert_eq!(stream.pass(piece), text);
        assert_eq!(stream.finish(), None);
    }
}

#[test]
fn only_what_may_become_a_form_is_held_back() {
    let mut stream = Stream::new(patterns(&[SECRET]));
    assert_eq!(stream.pass(Bytes::from_static(b"a line\ns3c")), "a line\n");
    assert_eq!(stream.held(), 3);
    assert_eq!(stream.pass(Bytes::from_static(b"ond")), "s3cond");
    assert_eq!(stream.held(), 0);
}

#[test]
fn what_is_held_back_is_shorter_than_the_longest_form() {
    let longest = every_form().iter().map(Vec::len).max().unwrap();
    let patterns = patterns(&[SECRET]);
    for form in every_form() {
        let mut stream = Stream::new(Arc::clone(&patterns));
        for byte in form.repeat(3).chunks(1) {
            stream.pass(Bytes::copy_from_slice(byte));
            assert!(stream.held() < longest);
        }
    }
}

#[test]
fn a_secret_that_is_cut_off_by_the_end_is_replaced_too() {
    let patterns = patterns(&[SECRET]);
    assert_eq!(whole(&patterns, "x s3cr3t/to+"), "x **********");
    assert_eq!(whole(&patterns, "x s3c"), "x s3c");
}

#[test]
fn secrets_that_lie_over_each_other_are_both_replaced() {
    let both = patterns(&["abcdefgh-one", "-one-two-three"]);
    let text = "<abcdefgh-one-two-three>";
    let clean = "<**********************>";
    for cut in 0..=text.len() {
        let (a, b) = text.as_bytes().split_at(cut);
        assert_eq!(scrubbed(&both, [a, b]), clean.as_bytes(), "cut at {cut}");
    }
}

#[test]
fn a_secret_that_repeats_itself_is_replaced_in_any_run() {
    let patterns = patterns(&["aaaaaaaaaa"]);
    for length in 10..40 {
        assert_eq!(
            whole(&patterns, &format!("b{}b", "a".repeat(length))),
            format!("b{}b", "*".repeat(length))
        );
    }
}

#[test]
fn an_innocent_neighbour_of_an_unfinished_form_is_kept() {
    let patterns = patterns(&["abcdefgh12345678abcdefgh9", "ij-other-secret"]);
    // The first begins and is not finished when the second is seen whole.
    let pieces = ["abcdefgh1234ij-other-secret"].map(str::as_bytes);
    assert_eq!(scrubbed(&patterns, pieces), b"abcdefgh1234***************");
    let pieces = ["abcdefgh12345678abcdefgh", "!ij-other-secret"].map(str::as_bytes);
    assert_eq!(scrubbed(&patterns, pieces), b"abcdefgh12345678abcdefgh!***************");
}

#[test]
fn fields_lose_secrets_in_values_and_the_whole_field_for_one_in_its_name() {
    let patterns = patterns(&["Secret-Name-1"]);
    let mut fields = HeaderMap::new();
    fields.append("location", HeaderValue::from_static("/a?key=Secret-Name-1&b=1"));
    fields.append("x-twice", HeaderValue::from_static("Secret-Name-1"));
    fields.append("x-twice", HeaderValue::from_static("plain"));
    fields.append("x-secret-name-1", HeaderValue::from_static("1"));
    patterns.scrub_fields(&mut fields);
    assert_eq!(fields["location"], "/a?key=*************&b=1");
    let twice: Vec<_> = fields.get_all("x-twice").iter().collect();
    assert_eq!(twice, ["*************", "plain"]);
    assert_eq!(fields.len(), 3);
}

#[test]
fn a_secret_that_is_too_short_to_be_found_is_not_taken() {
    assert!(Patterns::new(&[Secret::new(*b"short")]).is_none());
    assert!(Patterns::new(&[Secret::new(*b"  short  ")]).is_none());
}

proptest! {
    #[test]
    fn no_cut_lets_a_form_through_and_innocent_text_stays(
        secret in "[a-c/+ ~]{8,12}",
        parts in prop::collection::vec(prop_oneof!["[a-c/+]{0,6}".prop_map(Err), (0usize..64).prop_map(Ok)], 0..6),
        cuts in prop::collection::vec(0usize..200, 0..8),
    ) {
        prop_assume!(secret.trim().len() >= NEEDLE);
        let patterns = patterns(&[&secret]);
        let forms = forms::of(secret.as_bytes());
        let mut text = Vec::new();
        for part in parts {
            match part {
                Ok(which) => text.extend_from_slice(&forms[which % forms.len()]),
                Err(innocent) => text.extend_from_slice(innocent.as_bytes()),
            }
        }
        let at_once = scrubbed(&patterns, [&text[..]]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]);
        prop_assert_eq!(&scrubbed(&patterns, pieces), &at_once);
        prop_assert_eq!(at_once.len(), text.len());
        for form in &forms {
            prop_assert!(!at_once.windows(form.len()).any(|part| part == form.as_slice()));
        }
        prop_assert!(at_once.iter().zip(&text).all(|(out, sent)| out == sent || *out == REDACTED));
    }
}
