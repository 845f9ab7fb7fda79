//! The search for a secret in a body: no form of it gets through, however the body is cut, and
//! nothing else is touched.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use writ_runtime::scrub::{Patterns, Stream};
use writ_runtime::secret::Secret;

/// A secret that is shorter is not taken, and no less of one is taken for its beginning.
const SHORTEST: usize = 8;
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A letter of a secret: few, so that forms lie over each other, and those that are escaped.
const LETTERS: &[u8; 8] = b"ab/+ ~%\"";

/// How many bytes say what one secret is.
const DRAFT: usize = 12;

fuzz_target!(|bytes: &[u8]| {
    let Some((drafts, script)) = bytes.split_at_checked(3 * DRAFT) else { return };
    let secrets = secrets(drafts);
    let short = secrets.iter().any(|secret| secret.trim_ascii().len() < SHORTEST);
    let taken: Vec<Secret> = secrets.iter().map(|secret| Secret::new(&secret[..])).collect();
    let patterns = Patterns::new(&taken).map(Arc::new);
    assert_eq!(patterns.is_none(), short, "{secrets:?}");
    let Some(patterns) = patterns else { return };

    let forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let (body, cuts) = body(&forms, script);
    let wanted = wanted(&forms, &body);
    let longest = forms.iter().map(Vec::len).max().unwrap_or_default();

    let mut stream = Stream::new(patterns);
    let (mut out, mut from) = (Vec::new(), 0);
    for cut in cuts {
        out.extend_from_slice(&stream.pass(Bytes::copy_from_slice(&body[from..cut])));
        assert!(stream.held() < longest);
        assert_eq!(out.len() + stream.held(), cut);
        from = cut;
    }
    out.extend(stream.finish().unwrap_or_default());
    assert!(out == wanted, "{}\n{}\n{}", show(&body), show(&out), show(&wanted));
});

/// Three secrets, each of which begins with the end of the one before.
fn secrets(drafts: &[u8]) -> Vec<Vec<u8>> {
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    for draft in drafts.chunks(DRAFT) {
        let before = secrets.last().map(Vec::as_slice).unwrap_or_default();
        let shared = before.len().saturating_sub(usize::from(draft[0]) % 16);
        let letter = |byte: &u8| byte.checked_sub(128).unwrap_or(LETTERS[usize::from(*byte) % 8]);
        let own = draft[1..].iter().map(letter);
        secrets.push(before[shared..].iter().copied().chain(own).collect());
    }
    secrets
}

/// A body, as a script of three bytes a step says, and where it is cut into pieces.
fn body(forms: &[Vec<u8>], script: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut body, mut cuts) = (Vec::new(), Vec::new());
    for step in script.chunks_exact(3) {
        let (which, how, cut) = (step[0], usize::from(step[1]), usize::from(step[2]));
        let form = &forms[usize::from(which) % forms.len()];
        // A form that can go on where the body ends does so.
        let joint = (0..form.len()).rev().find(|joint| body.ends_with(&form[..*joint]));
        let rest = &form[joint.unwrap_or_default()..];
        match how {
            0..64 => body.extend_from_slice(rest),
            64..128 => body.extend_from_slice(&rest[..rest.len().saturating_sub(how - 64)]),
            128..192 => body.extend_from_slice(&form[1..]),
            _ => body.push(which),
        }
        if cut < 128 {
            cuts.push(body.len().saturating_sub(cut % 32));
        }
    }
    cuts.push(body.len());
    cuts.sort_unstable();
    (body, cuts)
}

/// The plain way: each form at each place, and the beginning of one at the end of everything.
fn wanted(forms: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    for form in forms {
        for at in 0..body.len() {
            let rest = &body[at..];
            let begun = rest.len() >= SHORTEST && form.starts_with(rest);
            if rest.starts_with(form) || begun {
                out[at..].iter_mut().take(form.len()).for_each(|byte| *byte = b'*');
            }
        }
    }
    out
}

/// Every form of a secret, written down anew and without regard to the time it takes.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let secret = secret.trim_ascii();
    let each = |write: &dyn Fn(u8) -> String| -> Vec<u8> {
        secret.iter().flat_map(|byte| keep(*byte, write(*byte))).collect()
    };
    let mut forms = vec![
        secret.to_vec(),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("%{byte:02X}")),
    ];
    for kept in ["-._~", "-._~!'()*", "-._~!$&'()*+,;=:@", "-._~!$&'()*+,;=:@/?"] {
        let stays = |byte: u8| byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte);
        let or = |byte, escape| if stays(byte) { String::new() } else { escape };
        forms.push(each(&|byte| or(byte, format!("%{byte:02x}"))));
        forms.push(each(&|byte| or(byte, format!("%{byte:02X}"))));
    }
    for escapes in ["\"\\", "\"\\/"] {
        let escape = |byte: u8| if escapes.as_bytes().contains(&byte) { "\\" } else { "" };
        forms.push(secret.iter().flat_map(|b| [escape(*b).as_bytes(), &[*b]].concat()).collect());
    }
    for digits in [STANDARD, URL_SAFE] {
        for offset in 0..3 {
            forms.push(base64(secret, offset, digits, false));
            forms.push(base64(secret, offset, digits, true));
        }
    }
    forms
}

/// What is written for a byte, or the byte itself if that is nothing.
fn keep(byte: u8, written: String) -> Vec<u8> {
    if written.is_empty() { vec![byte] } else { written.into_bytes() }
}

/// The digits of base64 that are the secret's alone after `offset` other bytes; with the last one, of
/// which it shares no bit if nothing follows.
fn base64(secret: &[u8], offset: usize, digits: &[u8; 64], last: bool) -> Vec<u8> {
    let bits: Vec<u8> =
        secret.iter().flat_map(|b| (0..8).rev().map(move |bit| b >> bit & 1)).collect();
    // A digit begins at each sixth bit of the whole text.
    let first = (6 - offset * 8 % 6) % 6;
    let own = bits.get(first..).unwrap_or_default();
    let digit = |six: &[u8]| (0..6).fold(0, |sum, at| sum << 1 | six.get(at).copied().unwrap_or(0));
    let whole = own.chunks(6).filter(|six| last || six.len() == 6);
    whole.map(|six| digits[usize::from(digit(six))]).collect()
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
