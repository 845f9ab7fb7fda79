//! Where a request goes: a canonical form is its own canonical form, and holds nothing hostile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use writ_broker::host::Authority;
use writ_broker::path::RequestPath;

fuzz_target!(|text: &str| {
    if let Ok(authority) = Authority::parse(text, 443) {
        let canonical = authority.to_string();
        assert_eq!(Authority::parse(&canonical, 1).as_ref(), Ok(&authority), "{canonical}");
        assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()), "{canonical:?}");
    }
    if let Ok(path) = RequestPath::parse(text) {
        assert_eq!(path.as_sent(), text);
        let segments = path.as_sent().split(['?']).next().unwrap_or_default().split('/');
        assert!(segments.clone().all(|segment| segment != ".." && segment != "."), "{text:?}");
    }
});
