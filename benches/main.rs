//! What `writ` costs, against a floor or a peer in the same run. `cargo bench` prints one table.
//!
//! Only ratios and differences count: the machine's speed is in both sides of each.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot run must stop"
)]
#![expect(clippy::print_stdout, reason = "the table is its result")]

mod cold;
mod egress;
mod floor;
mod host;
mod idle;
mod kill;
mod scale;
mod table;
mod warm;

use table::Table;

fn main() {
    // Backtraces are captured at each store's end where this is set, which costs more than a call.
    for name in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
        assert!(std::env::var_os(name).is_none_or(|value| value == "0"), "unset {name}");
    }
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let runs = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()));
    let mut table = Table::new();
    type Section = fn(&mut Table);
    let sections: [(&str, Section); 7] = [
        ("warm", warm::run),
        ("cold", cold::run),
        ("scale", scale::run),
        ("egress", egress::run),
        ("idle", idle::run),
        ("kill", kill::run),
        ("languages", warm::languages),
    ];
    for (name, section) in sections {
        if runs(name) {
            section(&mut table);
        }
    }
    println!("{table}");
}
