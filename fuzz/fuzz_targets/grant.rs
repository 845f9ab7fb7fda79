//! The grant parser: no bytes make it panic, and what it accepts it accepts again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use writ_broker::grant::{Flags, GrantFile, GrantSource, Place};

fuzz_target!(|bytes: &[u8]| {
    let place = Place { current_dir: "/nowhere".into(), lint: true, ..Place::default() };
    let parse = |bytes: &[u8]| {
        let file = GrantFile {
            name: "grant.toml".into(),
            dir: "/nowhere".into(),
            bytes: bytes.into(),
            linked: false,
        };
        GrantSource { file: Some(file), flags: Flags::default() }.parse(&place)
    };
    let parsed = parse(bytes);
    // Every message can be shown, whatever the file holds.
    assert!(!parsed.report.render(false).chars().any(|c| c.is_control() && c != '\n'));
    if let Some(grant) = parsed.grant {
        let again = parse(grant.to_toml().as_bytes());
        assert_eq!(again.grant.as_ref(), Some(&grant), "{}", grant.to_toml());
    }
});
