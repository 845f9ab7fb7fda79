//! `writ inspect`: what a tool is, without running it.

use super::operator::{compiler, settings};
use super::tools::Tool;
use crate::cli::Inspect;
use crate::output::{self, OurFault};
use crate::places::Places;
use anyhow::{Context, Result};
use serde::Serialize;
use std::process::ExitCode;
use writ_runtime::worker::describe::{Description, render};

/// The version of the JSON object; `../output/schema/inspect.json` says what is in it.
const SCHEMA: &str = "writ.inspect/1";

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    name: &'a str,
    digest: String,
    #[serde(flatten)]
    description: &'a Description,
}

/// Shows a tool. Its bytes are read by a confined worker, which compiles it on the way.
pub(crate) fn inspect(args: &Inspect) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    let tool = runtime.block_on(async {
        let compiler = compiler(&settings(&args.operator)?);
        Tool::load(&args.tool, &Places::of(&args.operator)?, &compiler).await
    })?;
    let description = &tool.entry.description;
    if args.json {
        let digest = tool.digest_text();
        let report = Report { schema: SCHEMA, name: &tool.name, digest, description };
        output::result(output::json_line(&report)?);
    } else {
        output::result(format_args!("{}\n{}", tool.digest_text(), render(description).trim_end()));
    }
    Ok(ExitCode::SUCCESS)
}
