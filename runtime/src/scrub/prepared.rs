//! The patterns of the last request: a token is the same for many.

use super::Patterns;
use crate::secret::Secret;
use std::sync::{Arc, Mutex, PoisonError};

/// The patterns that one task used last.
#[derive(Default)]
pub(crate) struct Prepared(Mutex<Option<(Vec<Secret>, Arc<Patterns>)>>);

impl Prepared {
    /// Returns the patterns of these secrets; none if one of them is too short to be searched for.
    pub(crate) fn patterns(&self, secrets: Vec<Secret>) -> Option<Arc<Patterns>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, patterns)) = &*last
            && *known == secrets
        {
            return Some(Arc::clone(patterns));
        }
        let patterns = Arc::new(Patterns::new(&secrets)?);
        *last = Some((secrets, Arc::clone(&patterns)));
        Some(patterns)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn patterns_are_made_anew_when_any_secret_is_another() {
        let prepared = Prepared::default();
        let patterns = |texts: &[&str]| {
            let secrets = texts.iter().map(|text| Secret::new(*text)).collect();
            prepared.patterns(secrets).unwrap()
        };
        let first = patterns(&["one-secret"]);
        assert!(Arc::ptr_eq(&first, &patterns(&["one-secret"])));
        let both = patterns(&["one-secret", "two-secret"]);
        assert!(!Arc::ptr_eq(&first, &both));
        assert!(!Arc::ptr_eq(&both, &patterns(&["one-secret"])));
    }
}
