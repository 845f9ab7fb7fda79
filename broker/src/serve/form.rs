//! Forms from strangers (`application/x-www-form-urlencoded`), in which every name stands once.

use percent_encoding::percent_decode;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// The most fields that are looked at.
const MOST_FIELDS: usize = 16;

/// The fields of a form. They are not shown, since tokens are among them.
pub(super) struct Form(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// Reads a form. A name that stands twice is refused (RFC 6749 §3.2): readers disagree on which of
    /// the two counts. So is an escape that is none, and what is not UTF-8.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for field in bytes.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
            let mut parts = field.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next()?, parts.next().unwrap_or_default());
            let name = decode(name)?.to_string();
            let twice = fields.insert(name, decode(value)?).is_some();
            if twice || fields.len() > MOST_FIELDS {
                return None;
            }
        }
        Some(Self(fields))
    }

    /// Takes a field. An empty one counts as left out (RFC 6749 §3.2).
    pub(super) fn take(&mut self, name: &str) -> Option<Zeroizing<String>> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Reports whether nothing is left that nobody took.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Decodes one name or value.
pub(super) fn decode(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = &rest[at + 3..];
    }
    let spaced = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
    let spaced = Zeroizing::new(spaced.collect::<Vec<u8>>());
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    match String::from_utf8(decoded) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read_by_name() {
        let mut form = Form::parse(b"token=a%2Bb+c%3D&hint=&x").unwrap();
        assert_eq!(form.take("token").unwrap().as_str(), "a+b c=");
        assert!(form.take("hint").is_none() && form.take("x").is_none());
        assert!(form.take("token").is_none(), "it is taken");
        assert!(Form::parse(b"").is_some());
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in ["token=a&token=b", "token=a&%74oken=b", "a=%", "a=%1", "a=%zz", "%=a", "a=%ff"]
        {
            assert!(Form::parse(text.as_bytes()).is_none(), "{text}");
        }
        let many: String = (0..17).map(|n| format!("f{n}=&")).collect();
        assert!(Form::parse(many.as_bytes()).is_none());
    }

    #[test]
    fn values_are_not_shown() {
        let form = Form::parse(b"token=abc").unwrap();
        assert_eq!(format!("{form:?}"), "{\"token\"}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Form::parse(&bytes);
        }
    }
}
