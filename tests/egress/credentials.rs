//! Credentials that a grant names, in a run that has no broker to give them.

use super::{Bed, send};
use crate::harness::Writ;

/// A run whose requests to this machine carry a credential, by a literal address.
fn carrying(bed: &Bed, place: &str) -> (Writ, String) {
    let port = bed.server.port();
    let grant = format!(
        "[task]\nttl = \"1m\"\n[[http]]\nhost = \"127.0.0.1\"\nport = {port}\nscheme = \"http\"\n\
         paths = [\"/hello\"]\ncredential = \"api\"\n\
         [[credential]]\nname = \"api\"\nkind = \"secret\"\nplace = \"{place}\"\n"
    );
    let url = format!("http://127.0.0.1:{port}/hello");
    (bed.granted(&grant).args(&["--dangerous-loopback"]), url)
}

#[test]
fn a_request_is_not_sent_without_the_credential_that_it_should_carry() {
    let bed = Bed::new();
    let (run, url) = carrying(&bed, "bearer");
    let verdict = send(run, &[&url]);
    verdict.denied(&[("D0112", &format!("GET {url}"))]).failed("error HTTP-request-denied");
    assert!(bed.server.seen().is_empty(), "{verdict:#?}");
}

#[test]
fn a_tool_cannot_bring_a_credential_where_the_host_puts_one() {
    let bed = Bed::new();
    for (place, words, query) in [
        ("bearer", ["-H", "authorization:Bearer own"], ""),
        ("bearer", ["-H", "dpop:own"], ""),
        ("header:X-Api-Key", ["-H", "x-api-key:own"], ""),
        ("query:key", ["-H", "accept:*/*"], "?key=own"),
    ] {
        let (run, url) = carrying(&bed, place);
        let url = url + query;
        let verdict = send(run, &[&url, words[0], words[1]]);
        verdict.denied(&[("D0111", &format!("GET {url}"))]).failed("error HTTP-request-denied");
    }
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}
