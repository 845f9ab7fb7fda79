//! From a path to a compiled tool.

use crate::output::Progress;
use crate::places::Places;
use anyhow::{Context, Result};
use aws_lc_rs::digest;
use std::io::Read;
use std::path::Path;
use writ_broker::codes;
use writ_runtime::cache::{Cache, Entry, Lookup};
use writ_runtime::supervisor::{Compiler, MAX_TOOL};
use writ_runtime::wire::Fault;

/// A tool that is ready to run.
#[derive(Debug)]
pub(crate) struct Tool {
    /// What a person calls it: the file's name without its ending.
    pub(crate) name: String,
    /// The SHA-256 of its bytes.
    pub(crate) digest: [u8; 32],
    /// The compiled tool.
    pub(crate) entry: Entry,
    /// The cache that it lies in.
    pub(crate) cache: Cache,
}

impl Tool {
    /// Reads a tool and finds its compiled form, compiling it if there is none.
    pub(crate) async fn load(path: &Path, places: &Places, compiler: &Compiler) -> Result<Self> {
        let bytes = read(path)?;
        let digest = sha256(&bytes);
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let cache = places.open_cache()?;
        let entry = match cache.get(digest) {
            Lookup::Hit(entry) => *entry,
            other => {
                if let Lookup::Rejected(why) = other {
                    crate::output::cache_rejected(&name, why);
                }
                let _progress = Progress::start(&format!("compiling {name}"));
                compiler.compile(&cache, digest, &bytes).await?
            }
        };
        Ok(Self { name, digest, entry, cache })
    }

    /// Returns the digest as people write it.
    pub(crate) fn digest_text(&self) -> String {
        let hex: String = self.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// Replaces a compiled form that this machine cannot load.
    pub(crate) async fn recompile(&mut self, path: &Path, compiler: &Compiler) -> Result<()> {
        let bytes = read(path)?;
        anyhow::ensure!(sha256(&bytes) == self.digest, "{} changed while it ran", path.display());
        self.entry = compiler.compile(&self.cache, self.digest, &bytes).await?;
        Ok(())
    }
}

/// Reads a file that is not larger than can be compiled.
fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    anyhow::ensure!(metadata.is_file(), "{} is not a file", path.display());
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_TOOL))?);
    file.take(MAX_TOOL + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() as u64 > MAX_TOOL {
        let message = format!("{} is larger than {MAX_TOOL} bytes", path.display());
        return Err(Fault::new(codes::TOO_BIG, message).into());
    }
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    digest
}
