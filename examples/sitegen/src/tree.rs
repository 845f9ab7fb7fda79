//! What is in the source folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The files of a site, relative to its root and in order.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The Markdown files.
    pub(crate) pages: Vec<PathBuf>,
    /// Everything else.
    pub(crate) assets: Vec<PathBuf>,
}

/// Lists a folder, without the one that is written to and without hidden files.
pub(crate) fn read(source: &Path, out: &Path) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let full = source.join(&folder);
        let failed = || Error::at("read", &full);
        for entry in fs::read_dir(&full).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let path = folder.join(entry.file_name());
            if is_hidden(&path) || source.join(&path) == out {
                continue;
            }
            let kind = entry.file_type().map_err(failed())?;
            match path.extension() {
                _ if kind.is_dir() => open.push(path),
                _ if !kind.is_file() => {}
                Some(extension) if extension == "md" => tree.pages.push(path),
                _ => tree.assets.push(path),
            }
        }
    }
    tree.pages.sort();
    tree.assets.sort();
    Ok(tree)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
