#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::keys::Signer;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;

fn files() -> (tempfile::TempDir, KeyFiles) {
    let place = tempfile::tempdir().unwrap();
    let files = KeyFiles::open(&place.path().join("deep/keys")).unwrap();
    (place, files)
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_is_made_when_it_is_first_needed_and_stays_the_same() {
    let (_place, files) = files();
    assert!(matches!(files.load(Purpose::Access, 1), Err(KeyFileError::Missing(_))));
    let key = files.obtain(Purpose::Access, 1).unwrap();
    assert_eq!(files.obtain(Purpose::Access, 1).unwrap().kid(), key.kid());
    assert_eq!(files.load(Purpose::Access, 1).unwrap().kid(), key.kid());
    for (purpose, generation) in [(Purpose::Access, 2), (Purpose::Status, 1)] {
        assert_ne!(files.obtain(purpose, generation).unwrap().kid(), key.kid());
    }
}

#[test]
fn only_the_owner_can_read_a_key_and_nothing_else_is_left_behind() {
    let (_place, files) = files();
    files.obtain(Purpose::Access, 1).unwrap();
    let entries: Vec<_> = std::fs::read_dir(&files.path).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].file_name(), "access-1.p8");
    assert_eq!(entries[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files.path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn of_many_that_make_a_key_at_once_all_use_one() {
    let (_place, files) = files();
    let start = Barrier::new(8);
    let make = || {
        // A second handle, as another process has.
        let files = KeyFiles::open(&files.path).unwrap();
        start.wait();
        files.obtain(Purpose::Access, 1).unwrap().kid().to_owned()
    };
    let kids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(kids.iter().all(|kid| *kid == kids[0]), "{kids:?}");
    assert_eq!(std::fs::read_dir(&files.path).unwrap().count(), 1);
}

#[test]
fn a_key_that_others_could_read_or_replace_is_refused() {
    let (place, files) = files();
    files.obtain(Purpose::Access, 1).unwrap();
    let key = files.path.join("access-1.p8");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] {
        chmod(&key, mode);
        let error = files.load(Purpose::Access, 1).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { .. }), "{mode:o}: {error}");
        assert!(matches!(files.obtain(Purpose::Access, 1), Err(KeyFileError::Exposed { .. })));
    }
    chmod(&key, 0o600);
    let elsewhere = place.path().join("elsewhere");
    std::fs::rename(&key, &elsewhere).unwrap();
    symlink(&elsewhere, &key).unwrap();
    assert!(matches!(files.load(Purpose::Access, 1), Err(KeyFileError::Exposed { .. })));
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    assert!(matches!(files.load(Purpose::Access, 1), Err(KeyFileError::Exposed { .. })));
}

#[test]
fn a_pipe_in_the_place_of_a_key_does_not_hold_the_reader_up() {
    let (_place, files) = files();
    let key = files.path.join("access-1.p8");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &key, FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(files.load(Purpose::Access, 1), Err(KeyFileError::Exposed { .. })));
}

#[test]
fn a_directory_that_others_can_look_into_is_refused() {
    let (_place, files) = files();
    for mode in [0o750, 0o705, 0o720, 0o777] {
        chmod(&files.path, mode);
        let error = KeyFiles::open(&files.path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { .. }), "{mode:o}: {error}");
    }
}

#[test]
fn what_is_no_key_is_not_made_into_one() {
    let (_place, files) = files();
    let path = files.path.join("access-1.p8");
    files.obtain(Purpose::Access, 1).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut swapped = good.clone();
    *swapped.last_mut().unwrap() ^= 1;
    let cases =
        [Vec::new(), vec![0; 138], good[..good.len() - 1].to_vec(), swapped, vec![48; 4096]];
    for bytes in cases {
        std::fs::write(&path, &bytes).unwrap();
        let error = files.obtain(Purpose::Access, 1).unwrap_err();
        assert!(matches!(error, KeyFileError::Key { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "left for a person to look at");
    }
}

#[test]
fn a_removed_key_is_gone_and_removing_it_again_is_no_error() {
    let (_place, files) = files();
    files.obtain(Purpose::Access, 1).unwrap();
    files.remove(Purpose::Access, 1).unwrap();
    files.remove(Purpose::Access, 1).unwrap();
    assert!(matches!(files.load(Purpose::Access, 1), Err(KeyFileError::Missing(_))));
}

#[test]
fn a_key_shows_its_name_and_nothing_private() {
    let key = LocalKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), format!("LocalKey {{ kid: {:?}, .. }}", key.kid()));
}
