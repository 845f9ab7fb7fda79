//! Secrets in files encrypted with age.

use super::super::error::ProviderError;
use super::super::source::{self, AgeKey, LARGEST_FILE, Secret};
use age::secrecy::SecretString;
use age::{Decryptor, Identity};
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// The most work that a file may ask of a passphrase, as a power of two: some seconds and a GiB of
/// memory at 20. Without a bound, whoever can write the file can stop the host.
const MOST_WORK: u8 = 20;

/// Decrypts a file and returns one entry, or all of it.
pub(in super::super) fn load(
    file: &Path,
    key: &AgeKey,
    entry: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let refuse = |why: &str| ProviderError::never(format!("{}: {why}", file.display()));
    let encrypted = source::read(file)?;
    let decryptor =
        Decryptor::new_buffered(&encrypted[..]).map_err(|_| refuse("it is not an age file"))?;
    let identities = identities(key)?;
    let mut plain = decryptor
        .decrypt(identities.iter().map(|identity| &**identity))
        .map_err(|_| refuse("the identity or passphrase does not decrypt it"))?;
    let mut text = Zeroizing::new(Vec::new());
    // All of it at once: a buffer that grows would leave copies behind.
    text.reserve_exact(encrypted.len());
    let damaged = |_| refuse("it is damaged");
    plain.by_ref().take(LARGEST_FILE).read_to_end(&mut text).map_err(damaged)?;
    match entry {
        None => Ok(text),
        Some(name) => self::entry(&text, name)
            .map(|value| Zeroizing::new(value.to_vec()))
            .ok_or_else(|| refuse(&format!("it has no entry \"{name}\", or more than one"))),
    }
}

fn identities(key: &AgeKey) -> Result<Vec<Box<dyn Identity>>, ProviderError> {
    match key {
        AgeKey::Passphrase(path) => {
            let bytes = source::read(path)?;
            let passphrase = Secret::from_bytes(&bytes)
                .map_err(|error| ProviderError::never(format!("{}: {error}", path.display())))?;
            let passphrase = SecretString::from(passphrase.expose().to_owned());
            let mut identity = age::scrypt::Identity::new(passphrase);
            identity.set_max_work_factor(MOST_WORK);
            Ok(vec![Box::new(identity)])
        }
        AgeKey::Identity(path) => {
            let bytes = source::read(path)?;
            let refuse = || {
                let why = "it is not a list of age identities";
                ProviderError::never(format!("{}: {why}", path.display()))
            };
            let text = std::str::from_utf8(&bytes).map_err(|_| refuse())?;
            let keys = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            let parsed: Result<Vec<Box<dyn Identity>>, ProviderError> = keys
                .map(|key| {
                    let identity: age::x25519::Identity = key.parse().map_err(|_| refuse())?;
                    Ok(Box::new(identity) as Box<dyn Identity>)
                })
                .collect();
            parsed.and_then(|all| if all.is_empty() { Err(refuse()) } else { Ok(all) })
        }
    }
}

/// Finds the value of the only `NAME=VALUE` line of a name. There is no quoting: the value is
/// everything after the sign.
fn entry<'t>(text: &'t [u8], name: &str) -> Option<&'t [u8]> {
    let mut values = text.split(|b| *b == b'\n').filter_map(|line| {
        line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    });
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}
