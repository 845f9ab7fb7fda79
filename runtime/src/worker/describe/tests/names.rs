//! How functions are named on the command line.

use super::*;

fn tool() -> Description {
    describe_provided(&component(TEXT_TOOL)).unwrap()
}

fn target(interface: Option<&str>, name: &str) -> FunctionRef {
    FunctionRef { interface: interface.map(str::to_owned), name: name.to_owned() }
}

#[test]
fn a_bare_name_is_enough_when_only_one_function_has_it() {
    let text = Some("acme:tools/text@1.2.0");
    assert_eq!(resolve_function(&tool(), "count").unwrap(), target(text, "count"));
    assert_eq!(resolve_function(&tool(), "version").unwrap(), target(None, "version"));
}

#[test]
fn an_interface_can_be_named_in_three_ways() {
    for name in ["text#upper", "acme:tools/text#upper", "acme:tools/text@1.2.0#upper"] {
        let text = Some("acme:tools/text@1.2.0");
        assert_eq!(resolve_function(&tool(), name).unwrap(), target(text, "upper"));
    }
}

#[test]
fn a_name_that_means_two_functions_is_refused_with_both() {
    assert_eq!(
        resolve_function(&tool(), "upper").unwrap_err().to_string(),
        "`upper` could be any of: text#upper, shout#upper"
    );
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let message = |name| resolve_function(&tool(), name).unwrap_err().to_string();
    assert_eq!(message("counts"), "there is no function `counts`; did you mean `count`?");
    assert!(message("zzzzzz").ends_with("; there are: version, count, text#upper, shout#upper"));
    assert!(message("other#count").starts_with("there is no function"));
    assert!(message("\u{1b}[31m").starts_with("there is no function `\\u{1b}[31m`"));
}

#[test]
fn the_listed_name_of_each_function_leads_to_it() {
    let tool = tool();
    for func in &tool.functions {
        let found = resolve_function(&tool, &func.call).unwrap();
        assert_eq!(found, target(func.interface.as_deref(), &func.name));
    }
}

#[test]
fn a_function_outside_of_interfaces_is_meant_by_its_bare_name() {
    let wit = "package acme:t; interface i { f: func(); }
        world tool { export f: func(); export i; }";
    let tool = describe_provided(&component(wit)).unwrap();
    assert_eq!(resolve_function(&tool, "f").unwrap(), target(None, "f"));
    assert_eq!(resolve_function(&tool, "i#f").unwrap(), target(Some("acme:t/i"), "f"));
}

#[test]
fn a_function_that_cannot_be_called_is_refused_by_its_name() {
    let wit = "package acme:t; interface i { resource r; f: func() -> r; g: func(); }
        world tool { export i; }";
    let tool = describe_provided(&component(wit)).unwrap();
    let message = resolve_function(&tool, "f").unwrap_err().to_string();
    assert!(message.starts_with("`f` cannot be called: it takes or returns a resource"));
    assert!(resolve_function(&tool, "g").is_ok());
}
