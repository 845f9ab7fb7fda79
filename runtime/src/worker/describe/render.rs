//! A description as a person reads it.

use super::description::{Description, Function, Kind, NamedType};
use std::fmt::Write as _;
use writ_broker::text::printable;

/// The longest line that a tool's text may make.
const LINE: usize = 10_000;

/// Lists a tool in the manner of WIT, with every hostile character spelled out.
pub fn render(tool: &Description) -> String {
    let mut out = String::new();
    let kind = match tool.kind {
        Kind::Command => "command (component)",
        Kind::Functions => "functions (component)",
        Kind::CoreCommand => "command (core wasip1 module)",
    };
    let _ = writeln!(out, "{kind}, {} bytes", tool.size);
    for producer in &tool.producers {
        let line = format!("{}: {} {}", producer.field, producer.name, producer.version);
        let _ = writeln!(out, "{}", shown(line.trim_end()));
    }
    docs(&mut out, "", tool.docs.as_deref());
    if !tool.imports.is_empty() {
        out.push('\n');
    }
    for import in &tool.imports {
        let version = import.version.iter().map(|version| format!("@{version}"));
        let line = format!("{}{}", import.interface, version.collect::<String>());
        let _ = writeln!(out, "import {};", shown(&line));
    }
    exports(&mut out, tool);
    out
}

fn exports(out: &mut String, tool: &Description) {
    let mut interfaces: Vec<Option<&str>> = Vec::new();
    let used = tool.functions.iter().map(|func| func.interface.as_deref());
    for interface in used.chain(tool.types.iter().map(|ty| ty.interface.as_deref())) {
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    for interface in interfaces {
        let functions: Vec<_> =
            tool.functions.iter().filter(|func| func.interface.as_deref() == interface).collect();
        let types = tool.types.iter().filter(|ty| ty.interface.as_deref() == interface);
        out.push('\n');
        let indent = match interface {
            None => "",
            Some(name) => {
                // Types may come from an interface that is not itself exported.
                let word = if functions.is_empty() { "interface" } else { "export" };
                let _ = writeln!(out, "{word} {} {{", shown(name));
                "  "
            }
        };
        types.for_each(|ty| named_type(out, indent, ty));
        functions.iter().for_each(|func| function(out, indent, func));
        if interface.is_some() {
            out.push_str("}\n");
        }
    }
}

fn named_type(out: &mut String, indent: &str, ty: &NamedType) {
    docs(out, indent, ty.docs.as_deref());
    for line in ty.wit.split('\n') {
        let _ = writeln!(out, "{indent}{}", shown(line));
    }
}

fn function(out: &mut String, indent: &str, func: &Function) {
    docs(out, indent, func.docs.as_deref());
    let params: Vec<_> =
        func.params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
    let result = func.result.as_ref().map(|ty| format!(" -> {ty}")).unwrap_or_default();
    let line = format!("{}: func({}){result};", func.name, params.join(", "));
    let _ = writeln!(out, "{indent}{}", shown(&line));
    match &func.not_callable {
        Some(reason) => {
            let _ = writeln!(out, "{indent}  // cannot be called: {reason}");
        }
        None if func.call != func.name => {
            let _ = writeln!(out, "{indent}  // --call '{}'", shown(&func.call));
        }
        None => {}
    }
}

fn docs(out: &mut String, indent: &str, docs: Option<&str>) {
    for line in docs.into_iter().flat_map(str::lines) {
        let _ = writeln!(out, "{}", format!("{indent}/// {}", shown(line)).trim_end());
    }
}

fn shown(text: &str) -> String {
    let line: String = text.chars().take(LINE).collect();
    printable(&line).into_owned()
}
