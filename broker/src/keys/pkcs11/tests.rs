//! Against SoftHSM2, each in a process of its own: the module reads its place from the environment.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234-canary";

/// Runs one of the ignored tests below in a new process with a new token.
fn run(name: &str) {
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = place.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&conf, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "writ", "--so-pin", "5678", "--pin", PIN])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .expect("softhsm2 is installed; `./scripts/test` installs it");
    assert!(made.status.success(), "{made:?}");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("keys::pkcs11::tests::{name}")])
        .env("SOFTHSM2_CONF", &conf)
        .current_dir(place.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The token in the current directory.
fn token(pin: &str) -> Arc<HardwareToken> {
    write_pin(pin);
    let (module, pin) = (PathBuf::from(MODULE), PathBuf::from("pin"));
    Arc::new(HardwareToken::new(TokenPlace { module, label: "writ".into(), pin }))
}

fn write_pin(pin: &str) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open("pin");
    std::io::Write::write_all(&mut file.unwrap(), pin.as_bytes()).unwrap();
}

fn signs(key: &HardwareKey) -> bool {
    let public = VerifyingKey::new(key.public_jwk()).unwrap();
    key.sign(b"message").is_ok_and(|signature| public.accepts(b"message", &signature))
}

#[test]
fn a_key_in_a_token_signs_and_cannot_leave_it() {
    run("signs_and_stays");
}

#[test]
#[ignore = "run in a process of its own"]
fn signs_and_stays() {
    let token = token(&format!("{PIN}\n"));
    let key = token.generate(Purpose::Access).unwrap();
    assert!(signs(&key));
    assert_eq!(key.kid(), key.public_jwk().thumbprint().to_string());
    let other = token.generate(Purpose::Status).unwrap();
    assert_ne!(other.kid(), key.kid());
    assert!(signs(&token.load(*key.public_jwk()).unwrap()));
    assert!(!format!("{token:?} {key:?}").contains("canary"));

    stays_inside();

    token.remove(key.public_jwk()).unwrap();
    token.remove(key.public_jwk()).unwrap();
    assert!(matches!(token.load(*key.public_jwk()), Err(HardwareError::Missing)));
    assert_eq!(key.sign(b"message"), Err(SignError::Unusable));
    assert!(signs(&other));
}

/// Asks the module itself, in a session of the same logged-in process.
fn stays_inside() {
    let module = Pkcs11::new(MODULE).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_ro_session(slot).unwrap();
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let asked =
            [AttributeType::Value, AttributeType::Sensitive, AttributeType::NeverExtractable];
        let told = session.get_attributes(key, &asked).unwrap();
        assert_eq!(told, [Attribute::Sensitive(true), Attribute::NeverExtractable(true)]);
    }
}

#[test]
fn a_token_that_was_unplugged_is_used_again_when_it_is_back() {
    run("comes_back");
}

#[test]
#[ignore = "run in a process of its own"]
fn comes_back() {
    let token = token(PIN);
    let key = token.generate(Purpose::Access).unwrap();
    // Everything that this process had open is gone.
    Pkcs11::new(MODULE).unwrap().finalize().unwrap();
    assert!(signs(&key));
    std::fs::rename("tokens", "unplugged").unwrap();
    std::fs::create_dir("tokens").unwrap();
    Pkcs11::new(MODULE).unwrap().finalize().unwrap();
    assert_eq!(key.sign(b"message"), Err(SignError::Unreachable));
    std::fs::remove_dir("tokens").unwrap();
    std::fs::rename("unplugged", "tokens").unwrap();
    assert!(signs(&key));
}

#[test]
fn a_wrong_pin_is_tried_once() {
    run("tries_once");
}

#[test]
#[ignore = "run in a process of its own"]
fn tries_once() {
    let token = token("0000");
    for _ in 0..20 {
        let error = token.generate(Purpose::Access).unwrap_err();
        assert!(matches!(error, HardwareError::PinRefused), "{error}");
    }
    // Had it been tried twenty times, a token would now be locked.
    write_pin(PIN);
    assert!(matches!(token.generate(Purpose::Access), Err(HardwareError::PinRefused)));
}

#[test]
fn what_is_missing_or_exposed_is_said() {
    run("says_what_is_missing");
}

#[test]
#[ignore = "run in a process of its own"]
fn says_what_is_missing() {
    let good = token(PIN).place.clone();
    let refused = |place: TokenPlace| {
        Arc::new(HardwareToken::new(place)).generate(Purpose::Access).unwrap_err()
    };
    let error = refused(TokenPlace { module: "/nowhere.so".into(), ..good.clone() });
    assert!(matches!(error, HardwareError::Device(_)), "{error}");
    let error = refused(TokenPlace { label: "other".into(), ..good.clone() });
    assert!(matches!(error, HardwareError::NotOne { found: 0, .. }), "{error}");
    let error = refused(TokenPlace { pin: "nowhere".into(), ..good.clone() });
    assert!(matches!(error, HardwareError::PinFile(KeyFileError::Missing(_))), "{error}");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(Path::new("pin"), mode).unwrap();
    let error = refused(good);
    assert!(matches!(error, HardwareError::PinFile(KeyFileError::Exposed { .. })), "{error}");
}

#[test]
fn many_threads_sign_with_one_key() {
    run("is_shared");
}

#[test]
#[ignore = "run in a process of its own"]
fn is_shared() {
    let key = token(PIN).generate(Purpose::Access).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!((0..25).all(|_| signs(&key))));
        }
    });
}
