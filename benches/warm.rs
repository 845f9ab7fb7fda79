//! (a), (g), (h): calls on a worker that is there already.

use crate::floor::Bare;
use crate::host::{Host, function, guest, repeat};
use crate::table::{Spread, Table, time, times};
use std::time::Duration;
use writ_broker::Grant;
use writ_broker::grant::{Access, DirGrant};

const CALLS: usize = 3000;

pub(crate) fn run(table: &mut Table) {
    let host = Host::new();
    let tool = host.tool(&guest("guests", "bench"));
    let name = |name: &str| {
        (tool.entry.description.functions.iter())
            .find(|function| function.name == name)
            .map(|function| (function.interface.clone(), function.name.clone()))
            .unwrap()
    };
    let (interface, noop) = name("noop");
    let bare = Bare::new(&guest("guests", "bench"), interface.as_deref(), &noop);
    let floor = Spread::of(repeat(CALLS, || bare.call()));

    let mut task = host.task(&tool, Grant::default());
    let mut inside = Vec::new();
    let whole = Spread::of(repeat(CALLS, || {
        let report = host.call(&mut task, &tool, function(interface.as_deref(), &noop, "[]"));
        inside.push(report.inside);
    }));
    let inside = Spread::of(inside);
    let (ratio, shown) = times(inside.p50, floor.p50);
    table.row(
        "(a) the sandbox of one warm call, p50",
        time(inside.p50),
        format!("bare wasmtime {}", time(floor.p50)),
        shown,
        "≤ 2×",
        Some(ratio <= 2.0),
    );
    let boundary = whole.p50.saturating_sub(inside.p50);
    table.row(
        "(a) crossing the process boundary, p50",
        time(boundary),
        format!("whole call {} (p99 {})", time(whole.p50), time(whole.p99)),
        "",
        "≤ +60 µs",
        Some(boundary <= Duration::from_micros(60)),
    );
    read_file(table, &host);
}

/// (g) What one more read costs a guest: open, read to the end, close. The first file of a call also
/// pays for the guest's own C library, which sets itself up in each fresh instance.
fn read_file(table: &mut Table, host: &Host) {
    const MORE: u32 = 100;
    let tool = host.tool(&guest("guests", "bench"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, vec![7; 4096]).unwrap();
    let host_path = std::fs::canonicalize(directory.path()).unwrap();
    let fs = vec![DirGrant { guest: "/data".into(), host: host_path, access: Access::Read }];
    let mut task = host.task(&tool, Grant { fs, ..Grant::default() });
    let mut measure = |times: u32| {
        let args = format!(r#"["/data/file", {times}]"#);
        let mut inside = Vec::new();
        repeat(CALLS / 10, || {
            let call = function(None, "read-file-often", &args);
            inside.push(host.call(&mut task, &tool, call).inside);
        });
        Spread::of(inside).p50
    };
    let (one, many) = (measure(1), measure(1 + MORE));
    let cost = many.saturating_sub(one) / MORE;
    let native = Spread::of(repeat(CALLS, || {
        std::hint::black_box(std::fs::read(&path).unwrap());
    }));
    table.row(
        "(g) a 4 KiB file read from a guest, p50",
        time(cost),
        format!("native {}; the first of a call {}", time(native.p50), time(one)),
        times(cost, native.p50).1,
        "≤ 10 µs",
        Some(cost <= Duration::from_micros(10)),
    );
}

/// (h) Interpreters: a fresh instance for every call all the same.
pub(crate) fn languages(table: &mut Table) {
    let host = Host::new();
    for (what, name, field, args, mark) in [
        (
            "(h) a JavaScript tool (QuickJS), warm, p50",
            "slugify",
            "slugify",
            r#"["Hello, World"]"#,
            70,
        ),
        (
            "(h) a Python tool (componentize-py), warm, p50",
            "outline",
            "headings",
            r##"["# One\n\n## Two\n"]"##,
            900,
        ),
    ] {
        let tool = host.tool(&guest("third-party", name));
        let found = &tool.entry.description.functions;
        let function_of = found.iter().find(|it| it.name == field).unwrap();
        let (interface, name) = (function_of.interface.clone(), function_of.name.clone());
        let mut task = host.task(&tool, Grant::default());
        let mut inside = Vec::new();
        let whole = Spread::of(repeat(200, || {
            let call = function(interface.as_deref(), &name, args);
            inside.push(host.call(&mut task, &tool, call).inside);
        }));
        let inside = Spread::of(inside).p50;
        table.row(
            what,
            time(whole.p50),
            format!("inside the worker {}", time(inside)),
            "",
            &format!("scratch code: {mark} µs"),
            None,
        );
    }
}
