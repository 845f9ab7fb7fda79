#![expect(clippy::unwrap_used, reason = "a test may fail")]
#[cfg(feature = "age")]
use super::super::source::AgeKey;
use super::*;
use crate::id::{LeaseId, TaskId};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn ask() -> LeaseAsk {
    LeaseAsk {
        credential: "github".to_owned(),
        lease: LeaseId::from_random([1; 10]),
        task: TaskId::from_random([1; 10]),
        at: NOW,
        ttl: Duration::from_secs(60),
        scope: None,
        resource: None,
        subject: None,
    }
}

async fn lease(source: Source) -> Result<String, ProviderError> {
    let around = Surroundings::new(|name| match name {
        "TOKEN" => Some("hunter2".into()),
        "BROKEN" => Some(OsString::from_vec(vec![b'a', 0xff])),
        "SPLIT" => Some("hunter2\r\nx-admin: 1".into()),
        _ => None,
    });
    let provider = StaticSecret::new(source, around);
    let ask = ask();
    let leased = provider.lease(&ask, &provider.intent(&ask), NOW).await?;
    assert!(!format!("{leased:?}").contains("hunter2"));
    assert_eq!(provider.revoke(&leased.handle, NOW).await, Ok(Revoked::Withheld));
    let Material::Value(secret) = leased.material else { panic!() };
    Ok(secret.expose().to_owned())
}

fn private(path: &Path, bytes: &[u8]) -> PathBuf {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

#[tokio::test]
async fn a_variable_is_read_when_it_is_needed() {
    assert_eq!(lease(Source::Env("TOKEN".to_owned())).await.unwrap(), "hunter2");
    for (name, piece) in [
        ("MISSING", "the variable MISSING is not set"),
        ("BROKEN", "not valid UTF-8"),
        ("SPLIT", "a line end"),
    ] {
        let error = lease(Source::Env(name.to_owned())).await.unwrap_err();
        assert!(matches!(error, ProviderError::Never { .. }));
        assert!(error.to_string().contains(piece), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_file_is_read_again_for_each_lease() {
    let dir = tempfile::tempdir().unwrap();
    let path = private(&dir.path().join("token"), b"hunter2\n");
    assert_eq!(lease(Source::File(path.clone())).await.unwrap(), "hunter2");
    private(&path, b"changed");
    assert_eq!(lease(Source::File(path.clone())).await.unwrap(), "changed");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let error = lease(Source::File(path)).await.unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[cfg(feature = "age")]
fn encrypt(recipient: &dyn ::age::Recipient, text: &str) -> Vec<u8> {
    use std::io::Write;
    let encryptor = ::age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let mut out = Vec::new();
    let mut writer = encryptor.wrap_output(&mut out).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap();
    out
}

#[cfg(feature = "age")]
#[tokio::test]
async fn an_entry_of_an_age_file_is_decrypted_with_an_identity() {
    use ::age::secrecy::ExposeSecret;
    let dir = tempfile::tempdir().unwrap();
    let identity = ::age::x25519::Identity::generate();
    let text = "# mine\ngithub=hunter2\ngithub-old=x\nother=a=b \ntwice=1\ntwice=2\n";
    let file = private(&dir.path().join("secrets.age"), &encrypt(&identity.to_public(), text));
    let keys = format!("# created\n{}\n", identity.to_string().expose_secret());
    let key = AgeKey::Identity(private(&dir.path().join("key.txt"), keys.as_bytes()));
    let source = |entry: &str| Source::Age {
        file: file.clone(),
        key: key.clone(),
        entry: Some(entry.to_owned()),
    };
    assert_eq!(lease(source("github")).await.unwrap(), "hunter2");
    assert_eq!(lease(source("other")).await.unwrap(), "a=b ");
    for entry in ["missing", "twice", "hub"] {
        let error = lease(source(entry)).await.unwrap_err().to_string();
        assert!(error.contains("no entry") && !error.contains("hunter2"), "{error}");
    }
    let stranger = ::age::x25519::Identity::generate().to_string();
    let stranger = private(&dir.path().join("stranger"), stranger.expose_secret().as_bytes());
    let key = AgeKey::Identity(stranger);
    let error = lease(Source::Age { file, key, entry: None }).await.unwrap_err().to_string();
    assert!(error.contains("does not decrypt"), "{error}");
}

#[cfg(feature = "age")]
#[tokio::test]
async fn a_whole_age_file_is_decrypted_with_a_passphrase_but_not_at_any_price() {
    let dir = tempfile::tempdir().unwrap();
    let phrase = AgeKey::Passphrase(private(&dir.path().join("phrase"), b"correct horse\n"));
    let mut recipient = ::age::scrypt::Recipient::new("correct horse".to_owned().into());
    recipient.set_work_factor(4);
    let file = private(&dir.path().join("a.age"), &encrypt(&recipient, "hunter2\n"));
    let source = Source::Age { file, key: phrase.clone(), entry: None };
    assert_eq!(lease(source).await.unwrap(), "hunter2");
    // The header is text: asking for 2^30 rounds must be refused and not worked on.
    let header = b"age-encryption.org/v1\n-> scrypt MTIzNDU2Nzg5MDEyMzQ1Ng 30\n\
        MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n--- MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n1234567890123456";
    let file = private(&dir.path().join("bomb.age"), header);
    let error = lease(Source::Age { file, key: phrase, entry: None }).await.unwrap_err();
    assert!(matches!(error, ProviderError::Never { .. }), "{error}");
}
