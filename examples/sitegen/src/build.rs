//! The build: every page rendered, every asset copied, an index of all.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::error::Error;
use crate::page::{self, Page};
use crate::tree;

const STYLE: &str = include_str!("style.css");

/// What a build did.
#[derive(Debug)]
pub(crate) struct Summary {
    pages: usize,
    assets: usize,
    bytes: usize,
    out: PathBuf,
}

/// Builds the site in `source` into `out`.
pub(crate) fn site(source: &Path, out: &Path) -> Result<Summary, Error> {
    let tree = tree::read(source, out)?;
    let mut summary = Summary { pages: 0, assets: 0, bytes: 0, out: out.to_owned() };
    let mut index = Page { title: "All pages".to_owned(), body: String::new() };
    let mut entries = String::new();
    for path in &tree.pages {
        let page = read_page(&source.join(path))?;
        let target = path.with_extension("html");
        if target == Path::new("index.html") {
            index = page;
            continue;
        }
        let html = page::frame(&page, &"../".repeat(target.components().count() - 1));
        let (href, title) = (target.to_string_lossy(), page::escape(&page.title));
        // Writing to a string cannot fail.
        let _ = writeln!(entries, "<li><a href=\"{}\">{title}</a></li>", page::escape(&href));
        summary.pages += 1;
        summary.bytes += write(&out.join(&target), html.as_bytes())?;
    }
    for path in &tree.assets {
        let asset = source.join(path);
        let bytes = fs::read(&asset).map_err(Error::at("read", &asset))?;
        summary.assets += 1;
        summary.bytes += write(&out.join(path), &bytes)?;
    }
    index.body += &format!("<ul class=\"pages\">\n{entries}</ul>\n");
    summary.pages += 1;
    summary.bytes += write(&out.join("index.html"), page::frame(&index, "").as_bytes())?;
    summary.bytes += write(&out.join("style.css"), STYLE.as_bytes())?;
    Ok(summary)
}

fn read_page(path: &Path) -> Result<Page, Error> {
    let markdown = fs::read_to_string(path).map_err(Error::at("read", path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(page::render(&markdown, &name))
}

fn write(path: &Path, bytes: &[u8]) -> Result<usize, Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::at("create", folder))?;
    }
    fs::write(path, bytes).map_err(Error::at("write", path))?;
    Ok(bytes.len())
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, assets, bytes, out: folder } = self;
        let kib = bytes.div_ceil(1024);
        write!(out, "wrote {pages} pages and {assets} assets ({kib} KiB) to {}", folder.display())
    }
}
