//! Messages about a grant file, in rustc's form, as JSON and as SARIF.
