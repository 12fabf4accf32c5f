//! What the real PlainBox 0.4 made earlier: see tests/fixtures/README.md.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pitstop::{Error, Format, Repository, Unlocked, WriterState};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plainbox-0.4")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if from.is_dir() {
            copy(&from, &to.join(name));
        } else if name != ".gitkeep" {
            fs::write(to.join(name), fs::read(&from).unwrap()).unwrap();
        }
    }
}

/// A copy of PlainBox's repository, as it was.
fn repository() -> (tempfile::TempDir, Repository) {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("sessions");
    copy(&fixture(), &place);
    fs::remove_file(place.join("last-session.txt")).unwrap();
    let text = fs::read_to_string(fixture().join("last-session.txt")).unwrap();
    let text = text.replace("@REPOSITORY@", place.to_str().unwrap());
    symlink(text, place.join("last-session")).unwrap();
    (scratch, Repository::open(place).unwrap().with_format(Format::Plain))
}

#[test]
fn every_session_is_listed_and_loaded() {
    let (_scratch, repository) = repository();
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    let mut sizes: Vec<_> =
        listing.sessions.iter().map(|it| (it.id.as_str(), it.size, it.live)).collect();
    sizes.sort();
    assert_eq!(
        sizes,
        [
            ("pbox-empty", Some(0), false),
            ("pbox-interrupted", Some(15), false),
            ("pbox-legacy", Some(256), false),
            ("pbox-new", None, false),
            ("pbox-run", Some(372), false),
        ]
    );
    let load = |id| repository.get(id).unwrap().load();
    assert_eq!(load("pbox-empty").unwrap().data, b"");
    assert_eq!(load("pbox-interrupted").unwrap().data, b"the save before");
    assert_eq!(load("pbox-legacy").unwrap().data, (0..=255).collect::<Vec<u8>>());
    assert!(matches!(load("pbox-new"), Err(Error::NoCheckpoint { .. })));
    let run = load("pbox-run").unwrap().data;
    assert_eq!(run, fs::read(fixture().join("pbox-run.session/session")).unwrap());
    assert!(run.starts_with(&[0x1f, 0x8b]), "it is PlainBox's gzip");
}

#[test]
fn the_last_session_is_resumed_and_replaced() {
    let (_scratch, repository) = repository();
    let last = repository.last().unwrap().unwrap();
    assert_eq!(last.id().as_str(), "pbox-legacy");
    last.save(b"resumed").unwrap();
    let log = last.location().unwrap().join("io-logs/job.stdout");
    assert_eq!(fs::read(&log).unwrap(), b"kept by the program\n");
    let new = repository.create(&pitstop::CreateOptions::new().replace_last()).unwrap();
    new.save(b"new").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    assert!(!log.exists());
    assert_eq!(repository.list().unwrap().sessions.len(), 5);
}

#[test]
fn a_last_session_is_found_after_the_repository_was_moved() {
    let (scratch, repository) = repository();
    let moved = scratch.path().join("moved");
    fs::rename(repository.location(), &moved).unwrap();
    let repository = Repository::open(&moved).unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id().as_str(), "pbox-legacy");
}

#[test]
fn an_unfinished_save_is_never_served_and_is_kept() {
    let (_scratch, repository) = repository();
    let session = repository.get("pbox-interrupted").unwrap();
    let location = session.location().unwrap();
    let half = fs::read(fixture().join("pbox-interrupted.session/session.next")).unwrap();
    assert!(!half.is_empty());
    assert!(matches!(session.status().unwrap().writer, WriterState::PlainBox { .. }));
    assert!(matches!(session.save(b"on"), Err(Error::Locked { .. })));
    let aside = location.join("session.aside-1");
    assert_eq!(session.unlock().unwrap(), Unlocked::MovedAside(aside.clone()));
    session.save(b"on").unwrap();
    assert_eq!((fs::read(aside).unwrap(), session.load().unwrap().data), (half, b"on".to_vec()));
}

#[test]
fn every_session_is_removed_with_its_files() {
    let (_scratch, repository) = repository();
    for id in ["pbox-run", "pbox-empty", "pbox-new", "pbox-legacy"] {
        assert!(repository.get(id).unwrap().remove().unwrap().remains.is_empty());
    }
    assert_eq!(repository.last().unwrap().map(|it| it.id().clone()), None);
    let locked = repository.get("pbox-interrupted").unwrap();
    assert!(matches!(locked.remove(), Err(Error::Locked { .. })));
    locked.unlock().unwrap();
    locked.remove().unwrap();
    // A dangling link is what PlainBox leaves too.
    assert_eq!(super::names_in(repository.location()), ["last-session"]);
}
