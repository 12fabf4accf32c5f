//! Files that cost whoever made them nothing, and would cost whoever looks at them all the memory or time there is.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pitstop::{Digest, Error, Repository};
use twox_hash::XxHash3_64;

use crate::watchdog::{child, run, within_time};

const BLOCK: u64 = 4096;
const SALT: u64 = 7;
/// Reading so much takes hours.
const HUGE: u64 = 8 << 40;

/// The header of a segment of this length: see docs/format.md.
fn segment(capacity: u64) -> Vec<u8> {
    let mut copy = b"PITSTOPj\x01\0\0\0\0\0\0\0".to_vec();
    for number in [1, SALT, 9] {
        copy.extend(u64::to_le_bytes(number));
    }
    copy.extend(XxHash3_64::oneshot(&copy).to_le_bytes());
    for later in [0, capacity] {
        copy.extend(u64::to_le_bytes(later));
        copy.extend(XxHash3_64::oneshot(&copy).to_le_bytes());
    }
    copy.resize(2048, 0);
    let mut block = copy.repeat(2);
    block.resize(BLOCK as usize, 0);
    block
}

/// A record that stores this, or says that it stores so much.
fn record(kind: u8, revision: u64, stored: &[u8], says: u64, size: u64, digest: u128) -> Vec<u8> {
    let check = if kind == 1 { XxHash3_64::oneshot_with_seed(SALT, stored) } else { 0 };
    let mut header = b"PITSTOPr\x01\0".to_vec();
    header.extend([kind, 0, 0, 0, 0, 0]);
    for number in [revision, revision - 1, says, size, 1_700_000_000] {
        header.extend(number.to_le_bytes());
    }
    header.extend([0, 0, 0, 0]);
    header.extend((revision as u32 - 1).to_le_bytes());
    header.extend(digest.to_le_bytes());
    header.extend(check.to_le_bytes());
    let labels = XxHash3_64::oneshot_with_seed(SALT, b"");
    header.extend(XxHash3_64::oneshot_with_seed(SALT ^ labels, &header).to_le_bytes());
    header.extend(stored);
    header.resize(header.len().next_multiple_of(BLOCK as usize), 0);
    header
}

fn full(revision: u64, data: &[u8]) -> Vec<u8> {
    let (size, digest) = (data.len() as u64, Digest::of(data).as_u128());
    record(0, revision, data, size, size, digest)
}

fn number(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// A session that keeps a journal of one segment, so long and with this in it.
fn journal(sessions: &Path, name: &str, capacity: u64, content: &[(u64, &[u8])]) -> PathBuf {
    let place = sessions.join(format!("{name}.session"));
    fs::create_dir_all(&place).unwrap();
    File::create(place.join("session.journal")).unwrap();
    let file = File::create(place.join("session.journal-0")).unwrap();
    file.set_len(capacity).unwrap();
    file.write_all_at(&segment(capacity), 0).unwrap();
    for (at, bytes) in content {
        file.write_all_at(bytes, *at).unwrap();
    }
    place
}

/// A good session, and all kinds of bad ones beside it.
fn bombs(sessions: &Path) {
    let repository = Repository::open(sessions).unwrap();
    repository.get_or_create("good").unwrap().save(b"good").unwrap();
    let base = vec![1; 1 << 20];
    let one = full(1, &base);
    let behind = BLOCK + one.len() as u64;
    // 45 kB that copy a mebibyte 6000 times.
    let mut delta = Vec::new();
    for n in 0..6000 {
        number(&mut delta, 0);
        // Back to the beginning.
        number(&mut delta, if n == 0 { 0 } else { (base.len() as u64) * 2 - 1 });
        number(&mut delta, base.len() as u64);
    }
    assert!(delta.len() < 50_000);
    let size = 6000 * base.len() as u64;
    let bomb = record(1, 2, &delta, delta.len() as u64, size, 0);
    journal(sessions, "delta", 4 << 20, &[(BLOCK, &one), (behind, &bomb)]);
    journal(sessions, "long-segment", HUGE, &[(BLOCK, &one)]);
    // What somebody appends was never a part of it.
    let place = journal(sessions, "longer-than-made", 4 << 20, &[(BLOCK, &one)]);
    File::options()
        .write(true)
        .open(place.join("session.journal-0"))
        .unwrap()
        .set_len(HUGE)
        .unwrap();
    let much = HUGE - 1024 * BLOCK;
    let hole = record(0, 2, b"", much, much, 0);
    journal(sessions, "long-record", HUGE, &[(BLOCK, &one), (behind, &hole)]);
    let end = BLOCK + (96 + much).next_multiple_of(BLOCK);
    let hole = record(0, 1, b"", much, much, 0);
    let tail = record(1, 2, b"\x01x\0\x01", 4, 2, 0);
    journal(sessions, "long-base", HUGE, &[(BLOCK, &hole), (end, &tail)]);
    let place = journal(sessions, "unmarked", HUGE, &[(BLOCK, &hole), (end, &tail)]);
    fs::remove_file(place.join("session.journal")).unwrap();
    let plain = sessions.join("plain.session");
    fs::create_dir(&plain).unwrap();
    File::create(plain.join("session")).unwrap().set_len(3 << 30).unwrap();
}

/// Runs a step in a process that may use no more memory than this.
fn within(kibibytes: u64, step: &str, directory: &Path) {
    let step = child(step, directory);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {kibibytes}; exec \"$@\""), "sh"]);
    shell.arg(step.get_program()).args(step.get_args()).current_dir(directory);
    shell.envs(step.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(shell);
}

#[test]
fn a_bomb_costs_no_more_than_its_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    bombs(&scratch.path().join("sessions"));
    within_time(move || {
        within(1 << 20, "look around", scratch.path());
        within(1 << 20, "get rid of all", scratch.path());
        assert_eq!(fs::read_dir(scratch.path().join("sessions")).unwrap().count(), 0);
    });
}

/// What a list, a status and a cleaner ask of all sessions.
pub(crate) fn look_around() {
    let repository = Repository::open("sessions").unwrap();
    let listing = repository.list().unwrap();
    let mut names: Vec<_> = listing.sessions.iter().map(|it| it.id.to_string()).collect();
    let problems = listing.problems.iter().map(|it| it.name.trim_end_matches(".session"));
    names.extend(problems.map(str::to_owned));
    names.sort();
    let long = ["long-base", "long-record", "long-segment", "longer-than-made"];
    assert_eq!(names, [&["delta", "good"], &long[..], &["plain", "unmarked"]].concat());
    assert!(repository.get("long-base").unwrap().load().is_err());
    for name in names {
        let session = repository.get(&name).unwrap();
        for outcome in [session.status().map(drop), session.history().map(drop)] {
            let is_told =
                |it: &Error| matches!(it, Error::Corrupt { .. } | Error::Unsupported { .. });
            assert!(outcome.as_ref().err().is_none_or(is_told), "{name}: {outcome:?}");
        }
        session.would_remove().unwrap();
    }
    let load = |name: &str| repository.get(name).unwrap().load();
    assert_eq!(load("good").unwrap().data, b"good");
    for name in ["delta", "long-segment", "longer-than-made"] {
        assert_eq!(load(name).unwrap().data, [1; 1 << 20], "{name}");
    }
    let plain = repository.get("plain").unwrap();
    assert_eq!(plain.open_checkpoint().unwrap().info().size, 3 << 30);
    assert_eq!(plain.verify().unwrap().findings.len(), 1);
}

pub(crate) fn get_rid_of_all() {
    let repository = Repository::open("sessions").unwrap();
    for name in ["delta", "long-segment", "longer-than-made"] {
        repository.get(name).unwrap().save(b"goes on").unwrap();
        assert_eq!(repository.get(name).unwrap().load().unwrap().data, b"goes on");
    }
    for name in ["delta", "long-segment", "longer-than-made", "good", "long-record", "plain"] {
        repository.get(name).unwrap().remove().unwrap();
    }
    for name in ["long-base", "unmarked"] {
        repository.get(name).unwrap().remove().unwrap();
    }
}

#[test]
fn a_segment_of_zeros_stops_nobody() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    repository.get_or_create("good").unwrap().save(b"good").unwrap();
    for len in [0, 1, 512, 4096, 8191, 8192] {
        let session = repository.get_or_create("bad").unwrap();
        session.save(b"lost").unwrap();
        let place = session.location().unwrap();
        for name in ["session.journal-0", "session.journal-1"] {
            fs::write(place.join(name), vec![0; len]).unwrap();
        }
        let listing = repository.list().unwrap();
        assert_eq!((listing.sessions.len(), listing.problems.len()), (1, 1), "{len}");
        for error in [session.load().unwrap_err(), session.status().unwrap_err()] {
            assert!(matches!(error, Error::Corrupt { .. }), "{len}: {error}");
        }
        assert!(session.verify().unwrap().is_damaged(), "{len}");
        session.repair().unwrap();
        session.save(b"goes on").unwrap();
        assert_eq!(session.load().unwrap().data, b"goes on", "{len}");
        session.remove().unwrap();
    }
}

/// Deeper than this process may open files, and than its stack is long.
#[test]
fn directories_however_deep_are_removed() {
    const DEPTH: usize = 20_000;
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    for name in ["removed", "trashed"] {
        let session = repository.get_or_create(name).unwrap();
        session.save(b"1").unwrap();
        let mut here = File::open(session.location().unwrap()).unwrap();
        for _ in 0..DEPTH {
            use rustix::fs::{Mode, OFlags, mkdirat, openat};
            mkdirat(&here, "d", Mode::RWXU).unwrap();
            let below = openat(&here, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
            here = below.unwrap().into();
        }
    }
    let step = child("remove what is deep", scratch.path());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 100; ulimit -s 1024; exec \"$@\"", "sh"]);
    shell.arg(step.get_program()).args(step.get_args()).current_dir(scratch.path());
    shell.envs(step.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(shell);
    assert_eq!(fs::read_dir(scratch.path().join("sessions")).unwrap().count(), 0);
}

pub(crate) fn remove_what_is_deep() {
    let repository = Repository::open("sessions").unwrap();
    let removal = repository.get("removed").unwrap().remove().unwrap();
    assert!(removal.remains.is_empty(), "{:?}", removal.remains);
    let trashed = repository.get("trashed").unwrap().trash().unwrap();
    assert!(trashed.usage.files > 2);
    let removal = repository.delete_from_trash(&trashed).unwrap();
    assert!(removal.remains.is_empty(), "{:?}", removal.remains);
}

#[test]
fn what_is_sparse_stays_sparse_in_a_copy() {
    use std::os::unix::fs::MetadataExt;
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| Repository::open(scratch.path().join(name)).unwrap();
    let (here, there) = (at("here"), at("there"));
    let session = here.get_or_create("job").unwrap();
    session.save(b"1").unwrap();
    // 200 MiB with a letter in the middle, and one that is only a hole.
    let sparse = File::create(session.location().unwrap().join("sparse")).unwrap();
    sparse.set_len(200 << 20).unwrap();
    sparse.write_all_at(b"x", 100 << 20).unwrap();
    File::create(session.location().unwrap().join("hole")).unwrap().set_len(50 << 20).unwrap();
    if sparse.metadata().unwrap().blocks() * 512 > 1 << 20 {
        return;
    }
    let copy = session.copy_to(&there, pitstop::CopyOptions::new()).unwrap().session;
    let fork = session.fork(None, &pitstop::CreateOptions::new()).unwrap();
    let mut archive = Vec::new();
    session.export(&mut archive, |_| ()).unwrap();
    let imported = at("imported");
    imported.import(archive.as_slice(), pitstop::CopyOptions::new()).unwrap();
    for copy in [copy.location(), fork.location(), imported.get("job").unwrap().location()] {
        let copy = copy.unwrap();
        for (name, len) in [("sparse", 200 << 20), ("hole", 50 << 20)] {
            let there = fs::metadata(copy.join(name)).unwrap();
            assert_eq!(there.len(), len);
            assert!(there.blocks() * 512 <= 1 << 20, "{copy:?}: {} blocks", there.blocks());
        }
        let mut letter = [0; 3];
        let file = File::open(copy.join("sparse")).unwrap();
        file.read_exact_at(&mut letter, (100 << 20) - 1).unwrap();
        assert_eq!(&letter, b"\0x\0");
    }
    // A copy that goes on finds them there already.
    session.copy_to(&there, pitstop::CopyOptions::new()).unwrap();
}
