//! The forms in which an upstream may repeat a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// One form, as bytes.
pub(super) type Form = Zeroizing<Vec<u8>>;

/// Returns every form of a secret once, the longest first.
///
/// In each the secret can stand anywhere in a longer text: what its neighbours would change, such as
/// the first and the last digit of base64, is no part of the form.
pub(super) fn of(secret: &[u8]) -> Vec<Form> {
    // A field loses its outer spaces on the way; what comes back comes without them.
    let secret = secret.trim_ascii();
    let mut forms = vec![Zeroizing::new(secret.to_vec())];
    for offset in 0..3 {
        base64_at(secret, offset, &mut forms);
    }
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        forms.push(escaped(secret, |byte, out| push_hex(byte, digits, out)));
        forms.push(escaped(secret, |byte, out| percent(byte, digits, out)));
    }
    // A token needs no escapes: its escaped forms are all the plain one.
    if !secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
        with_escapes(secret, &mut forms);
    }
    forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms
}

/// Adds the forms in which only some bytes are escaped: percent (RFC 3986 §2.1) by what different
/// writers keep, and JSON (RFC 8259 §7) with and without the escape of the slash that some add.
fn with_escapes(secret: &[u8], forms: &mut Vec<Form>) {
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        for kept in [&b"-._~"[..], b"-._~!'()*", b"-._~!$&'()*+,;=:@", b"-._~!$&'()*+,;=:@/?"] {
            forms.push(escaped(secret, |byte, out| {
                if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
                    out.push(byte);
                } else {
                    percent(byte, digits, out);
                }
            }));
        }
    }
    for escapes in [&b"\"\\"[..], b"\"\\/"] {
        forms.push(escaped(secret, |byte, out| {
            if escapes.contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }));
    }
}

/// Adds base64 (RFC 4648 §4 and §5) of the secret after `offset` bytes of something else.
///
/// A digit is six bits; the first and the last may carry bits of the neighbours. Without them up to
/// four bits of the first and of the last byte are left, which is less than a guess. Where nothing
/// follows, the last digit is known and stands in a form of its own.
fn base64_at(secret: &[u8], offset: usize, forms: &mut Vec<Form>) {
    let padded = Zeroizing::new([&[0; 3][..offset], secret].concat());
    let (first, last) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    let standard = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded).into_bytes());
    for end in [last, standard.len()] {
        let Some(form) = standard.get(first..end) else { continue };
        forms.push(Zeroizing::new(form.to_vec()));
        if form.iter().any(|digit| b"+/".contains(digit)) {
            let url_safe = form.iter().map(|digit| match digit {
                b'+' => b'-',
                b'/' => b'_',
                digit => *digit,
            });
            forms.push(Zeroizing::new(url_safe.collect()));
        }
    }
}

fn escaped(secret: &[u8], mut write: impl FnMut(u8, &mut Vec<u8>)) -> Form {
    // With room for the longest form: a buffer that grows leaves a copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len() * 3));
    for byte in secret {
        write(*byte, &mut out);
    }
    out
}

fn percent(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    out.push(b'%');
    push_hex(byte, digits, out);
}

fn push_hex(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    out.extend([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn has(secret: &str, form: &str) -> bool {
        of(secret.as_bytes()).iter().any(|known| known.as_slice() == form.as_bytes())
    }

    #[test]
    fn a_secret_has_its_plain_hexadecimal_percent_and_json_forms() {
        let secret = "p/ss \"w+rd~";
        for form in [
            "p/ss \"w+rd~",
            "702f73732022772b72647e",
            "702F73732022772B72647E",
            "%70%2f%73%73%20%22%77%2b%72%64%7e",
            "%70%2F%73%73%20%22%77%2B%72%64%7E",
            "p%2Fss%20%22w%2Brd~",
            "p%2fss%20%22w%2brd~",
            "p/ss%20%22w+rd~",
            "p/ss \\\"w+rd~",
            "p\\/ss \\\"w+rd~",
        ] {
            assert!(has(secret, form), "{form}");
        }
    }

    #[test]
    fn base64_is_found_at_each_place_in_a_longer_text() {
        let secret = "??>>secret~~";
        for offset in 0..6 {
            for after in 0..4 {
                let text = [&"abcdef"[..offset], secret, &"xyz."[..after]].concat();
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let found = of(secret.as_bytes())
                        .iter()
                        .any(|form| encoded.as_bytes().windows(form.len()).any(|w| w == &***form));
                    assert!(found, "{encoded}");
                }
            }
        }
    }

    #[test]
    fn no_form_stands_twice_and_the_longest_is_first() {
        let forms = of(b"abcdefgh");
        assert!(forms.windows(2).all(|pair| pair[0].len() >= pair[1].len() && pair[0] != pair[1]));
        assert!(forms.iter().all(|form| form.len() >= crate::injection::SHORTEST_SECRET));
    }
}
