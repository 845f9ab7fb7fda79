#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::worker::describe::Kind;
use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use std::path::PathBuf;
use tempfile::TempDir;

/// A cache in a directory of its own, with its key beside it.
struct Bed {
    folder: TempDir,
    cache: Cache,
}

fn description() -> Description {
    Description {
        kind: Kind::CoreCommand,
        size: 7,
        imports: Vec::new(),
        functions: Vec::new(),
        types: Vec::new(),
        docs: Some("what it does".to_owned()),
        producers: Vec::new(),
    }
}

impl Bed {
    fn new(bound: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Self::open(&folder, bound);
        Self { folder, cache }
    }

    fn open(folder: &TempDir, bound: u64) -> Cache {
        let (cache, key) = (folder.path().join("cache"), folder.path().join("state/key"));
        Cache::open(&cache, &key, bound).unwrap()
    }

    fn add(&self, digest: u8, artifact: &[u8]) -> Entry {
        let draft = self.cache.draft([digest; 32]).unwrap();
        let mut file = draft.artifact();
        file.write_all(artifact).unwrap();
        draft.commit(&description()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("cache").join(name)
    }

    fn bytes(&self, digest: u8) -> Vec<u8> {
        self.cache.directory.read(entry_name([digest; 32])).unwrap()
    }

    fn put(&self, digest: u8, bytes: &[u8]) {
        self.cache.directory.write(entry_name([digest; 32]), bytes).unwrap();
    }

    fn names(&self) -> usize {
        self.cache.directory.entries().unwrap().count()
    }

    /// Sets when a file was used last, seconds ago.
    fn age(&self, name: &str, seconds: i64) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        let time = Timespec { tv_sec: now - seconds, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(rustix::fs::CWD, self.path(name), &times, AtFlags::empty()).unwrap();
    }
}

fn is_hit(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Hit(_))
}

fn is_rejected(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Rejected(_))
}

#[test]
fn what_was_put_in_is_found_with_its_description() {
    let bed = Bed::new(DEFAULT_BOUND);
    assert!(matches!(bed.cache.get([1; 32]), Lookup::Miss));
    bed.add(1, b"native code");
    let Lookup::Hit(entry) = bed.cache.get([1; 32]) else { panic!("no hit") };
    assert_eq!(entry.description, description());
    let mut start = [0; 11];
    rustix::io::pread(entry.artifact(), &mut start, 0).unwrap();
    assert_eq!(&start, b"native code");
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let bed = Bed::new(DEFAULT_BOUND);
    bed.add(1, b"native code");
    let whole = bed.bytes(1);
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            bed.put(1, &changed);
            assert!(is_rejected(&bed.cache.get([1; 32])), "byte {at}");
        }
    }
    bed.put(1, &whole);
    assert!(is_hit(&bed.cache.get([1; 32])));
}

#[test]
fn an_entry_of_any_other_length_is_noticed() {
    let bed = Bed::new(DEFAULT_BOUND);
    bed.add(1, b"native code");
    let whole = bed.bytes(1);
    for length in 0..whole.len() {
        bed.put(1, &whole[..length]);
        assert!(is_rejected(&bed.cache.get([1; 32])), "{length} bytes");
        bed.put(1, &whole[length + 1..]);
        assert!(is_rejected(&bed.cache.get([1; 32])), "from byte {}", length + 1);
    }
    bed.put(1, &[&whole[..], b"x"].concat());
    assert!(is_rejected(&bed.cache.get([1; 32])));
    bed.put(1, &[b"x", &whole[..]].concat());
    assert!(is_rejected(&bed.cache.get([1; 32])));
}

#[test]
fn the_border_between_artifact_and_description_cannot_be_moved() {
    let bed = Bed::new(DEFAULT_BOUND);
    bed.add(1, b"native code");
    let whole = bed.bytes(1);
    let length = whole.len() - TRAILER + 8;
    for claimed in [0, 1, u32::MAX, MAX_DESCRIPTION + 1] {
        let mut changed = whole.clone();
        changed[length..length + 4].copy_from_slice(&claimed.to_le_bytes());
        bed.put(1, &changed);
        assert!(is_rejected(&bed.cache.get([1; 32])), "{claimed}");
    }
}

#[test]
fn an_entry_under_another_name_is_noticed() {
    let bed = Bed::new(DEFAULT_BOUND);
    bed.add(1, b"native code");
    bed.put(2, &bed.bytes(1));
    assert!(is_rejected(&bed.cache.get([2; 32])));
}

#[test]
fn an_entry_under_another_key_is_noticed() {
    let (bed, stranger) = (Bed::new(DEFAULT_BOUND), Bed::new(DEFAULT_BOUND));
    stranger.add(1, b"native code");
    bed.put(1, &stranger.bytes(1));
    assert!(is_rejected(&bed.cache.get([1; 32])));
}

#[test]
fn the_key_is_made_once_and_kept() {
    let bed = Bed::new(DEFAULT_BOUND);
    bed.add(1, b"native code");
    assert!(is_hit(&Bed::open(&bed.folder, DEFAULT_BOUND).get([1; 32])));
}

#[test]
fn what_was_not_used_longest_goes_first() {
    let bed = Bed::new(DEFAULT_BOUND);
    for digest in 1..=3 {
        bed.add(digest, &[0; 1000]);
        bed.age(&entry_name([digest; 32]), 100 - i64::from(digest));
    }
    // The oldest is used again, which makes the second one the oldest.
    assert!(is_hit(&bed.cache.get([1; 32])));
    let size = bed.bytes(1).len() as u64;
    let small = Bed { cache: Bed::open(&bed.folder, 3 * size), folder: bed.folder };
    small.add(4, &[0; 1000]);
    assert!(matches!(small.cache.get([2; 32]), Lookup::Miss));
    for digest in [1, 3, 4] {
        assert!(is_hit(&small.cache.get([digest; 32])), "{digest}");
    }
}

#[test]
fn an_entry_larger_than_the_bound_is_used_all_the_same() {
    let bed = Bed::new(10);
    bed.add(1, &[0; 1000]);
    assert!(is_hit(&bed.cache.get([1; 32])));
    bed.add(2, &[0; 1000]);
    assert!(is_hit(&bed.cache.get([2; 32])));
    assert_eq!(bed.names(), 1);
}

#[test]
fn a_draft_that_is_given_up_leaves_nothing() {
    let bed = Bed::new(DEFAULT_BOUND);
    drop(bed.cache.draft([1; 32]).unwrap());
    assert_eq!(bed.names(), 0);
}

#[test]
fn a_draft_is_left_alone_until_nobody_can_be_writing_it() {
    let bed = Bed::new(10);
    let draft = bed.cache.draft([1; 32]).unwrap();
    bed.add(2, b"x");
    assert_eq!(bed.names(), 2);
    bed.age(draft.temporary.as_deref().unwrap(), HOUR + 60);
    bed.add(3, b"x");
    assert_eq!(bed.names(), 1, "the abandoned draft and the evicted entry are gone");
}

#[test]
fn two_that_compile_the_same_tool_both_have_it() {
    let bed = Bed::new(DEFAULT_BOUND);
    let (one, other) = (bed.cache.draft([1; 32]).unwrap(), bed.cache.draft([1; 32]).unwrap());
    for draft in [one, other] {
        let mut file = draft.artifact();
        file.write_all(b"native code").unwrap();
        assert_eq!(draft.commit(&description()).unwrap().description, description());
    }
    assert_eq!(bed.names(), 1);
    assert!(is_hit(&bed.cache.get([1; 32])));
}

#[test]
fn a_passing_cache_has_no_name_and_cannot_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::passing(folder.path()).unwrap();
    let draft = cache.draft([1; 32]).unwrap();
    let mut writer = draft.artifact().try_clone().unwrap();
    writer.write_all(b"native code").unwrap();
    let entry = draft.commit(&description()).unwrap();
    assert_eq!(entry.description, description());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    assert!(cache.directory.create("file").is_err(), "the directory is still somewhere");
    // The compiler may still hold the file that it wrote to, and so does the guest's worker.
    writer.rewind().unwrap();
    assert!(writer.write_all(b"other").is_err());
    assert!(writer.set_len(0).is_err());
    assert!(matches!(cache.get([1; 32]), Lookup::Miss));
}

#[test]
fn what_others_put_into_the_directory_is_not_ours_to_remove() {
    let bed = Bed::new(1);
    let foreign = ["notes.txt".to_owned(), "a".repeat(64), format!("{}-", "Z".repeat(64))];
    for name in &foreign {
        bed.cache.directory.write(name, b"theirs").unwrap();
        bed.age(name, 2 * HOUR);
    }
    bed.add(1, b"old");
    bed.age(&entry_name([1; 32]), 60);
    bed.add(2, b"new");
    assert!(matches!(bed.cache.get([1; 32]), Lookup::Miss), "our own was to go");
    for name in &foreign {
        assert!(bed.path(name).exists(), "{name}");
    }
}

#[test]
fn a_directory_or_key_that_is_open_to_others_is_refused() {
    let bed = Bed::new(DEFAULT_BOUND);
    let (cache, key) = (bed.folder.path().join("cache"), bed.folder.path().join("state/key"));
    let code = || Cache::open(&cache, &key, 1).map(drop).map_err(|fault| fault.code);
    let mode = |path: &Path, mode: u32| rustix::fs::chmod(path, mode.into()).unwrap();
    for (path, open, private) in [
        (&cache, 0o720, 0o700),
        (&cache, 0o702, 0o700),
        (&key.parent().unwrap().to_owned(), 0o720, 0o700),
        (&key, 0o640, 0o600),
    ] {
        mode(path, open);
        assert_eq!(code(), Err(codes::CACHE_DIR), "{} {open:o}", path.display());
        mode(path, private);
        assert_eq!(code(), Ok(()));
    }
}
