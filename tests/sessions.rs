//! What a user does with a repository in a directory, and what it may hold beside sessions.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitstop::{CreateOptions, Error, Format, Repository, Session, SessionId};

use crate::watchdog;

fn repository() -> (tempfile::TempDir, Repository) {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    (scratch, repository)
}

#[test]
fn a_saved_checkpoint_is_loaded_by_a_fresh_handle() {
    let (scratch, repository) = repository();
    let session = repository.get_or_create("job").unwrap();
    assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
    let saved = session.save(b"one").unwrap();
    let fresh = Repository::open(scratch.path().join("sessions")).unwrap();
    let loaded = fresh.get("job").unwrap().load().unwrap();
    assert_eq!((loaded.data.as_slice(), &loaded.info), (b"one".as_slice(), &saved));
}

#[test]
fn the_last_session_is_replaced_with_the_first_checkpoint_of_the_new_one() {
    let (_scratch, repository) = repository();
    let replace = |id| CreateOptions::new().id(SessionId::new(id).unwrap()).replace_last();
    let old = repository.create(&replace("old")).unwrap();
    old.save(b"old").unwrap();
    let new = repository.create(&replace("new")).unwrap();
    assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"old");
    new.save(b"new").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    assert!(matches!(repository.get("old"), Err(Error::NotFound { .. })));
    assert_eq!(repository.list().unwrap().sessions.len(), 1);
}

/// A child has all files of its parent open until it runs its own program, a writer's lock included.
#[test]
fn a_program_that_starts_others_is_never_in_its_own_way() {
    let (_scratch, repository) = repository();
    let session = repository.get_or_create("job").unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
        }
        let saves = scope.spawn(|| (0..100).try_for_each(|_| session.save(b"data").map(drop)));
        let outcome = saves.join();
        done.store(true, Ordering::Relaxed);
        outcome.unwrap().unwrap();
    });
}

/// PlainBox takes every directory for a session, whatever its name.
#[test]
fn a_session_may_be_in_a_directory_of_any_name() {
    let (scratch, repository) = repository();
    for name in ["plain", ".hidden.session", "job.session", "-x"] {
        let place = scratch.path().join("sessions").join(name);
        let session = Session::in_directory(&place).unwrap();
        assert!(matches!(session.load(), Err(Error::NotFound { .. })), "{name}");
        fs::create_dir_all(&place).unwrap();
        assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })), "{name}");
        assert_eq!(session.location().unwrap(), place);
        session.save(name.as_bytes()).unwrap();
        assert_eq!(fs::read(place.join("session")).unwrap(), name.as_bytes());
        assert_eq!(session.load().unwrap().data, name.as_bytes());
    }
    let ids: Vec<_> = repository.list().unwrap().sessions.into_iter().map(|it| it.id).collect();
    assert_eq!(ids, [SessionId::new("job").unwrap()]);
    for name in ["plain", ".hidden.session", "job.session", "-x"] {
        let place = scratch.path().join("sessions").join(name);
        Session::in_directory(&place).unwrap().remove().unwrap();
        assert!(!place.exists(), "{name}");
    }
    assert_eq!(fs::read_dir(repository.location()).unwrap().count(), 0);
    assert!(matches!(Session::in_directory("/"), Err(Error::InvalidLocation { .. })));
}

#[test]
fn sessions_of_one_name_in_two_directories_do_not_meet() {
    let (scratch, repository) = repository();
    let place = scratch.path().join("sessions/job");
    fs::create_dir_all(&place).unwrap();
    let (one, other) =
        (repository.get_or_create("job").unwrap(), Session::in_directory(&place).unwrap());
    for session in [&one, &other] {
        session.save(session.id().as_str().as_bytes()).unwrap();
        session.trash().unwrap();
    }
    let mut trash = repository.trash().unwrap();
    trash.sort_by(|a, b| a.id.cmp(&b.id));
    let ids: Vec<_> = trash.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["job", "job/"]);
    for trashed in &trash {
        repository.restore_from_trash(trashed, &trashed.id).unwrap();
    }
    for session in [&one, &other] {
        assert_eq!(session.load().unwrap().data, session.id().as_str().as_bytes());
    }
    // What a removal of the one left, the other does not touch.
    let left = scratch.path().join("sessions/.job.removed");
    fs::create_dir(&left).unwrap();
    other.remove().unwrap();
    assert!(left.exists() && !place.exists());
    one.remove().unwrap();
    assert!(!left.exists());
}

#[test]
fn what_is_made_in_a_directory_that_is_its_groups_is_its_groups_too() {
    let (_scratch, repository) = repository();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    let is_file = |path: &Path| fs::symlink_metadata(path).unwrap().is_file();
    for (own, directories, files) in [(0o700, 0o700, 0o600), (0o2770, 0o2770, 0o660)] {
        fs::create_dir_all(repository.location()).unwrap();
        fs::set_permissions(repository.location(), Permissions::from_mode(own)).unwrap();
        for format in [Format::Plain, Format::Journal] {
            let new = CreateOptions::new().format(format);
            let session = repository.create(&new).unwrap();
            session.save(b"data").unwrap();
            let place = session.location().unwrap();
            assert_eq!(mode(&place), directories, "{place:?}");
            for entry in fs::read_dir(&place).unwrap() {
                let file = entry.unwrap().path();
                assert!(!is_file(&file) || mode(&file) == files, "{file:?}: {:o}", mode(&file));
            }
        }
    }
}

/// A save of 4 KiB is two blocks, the record's header in the first. Nothing is allocated, and the headers
/// of segments are few.
#[test]
fn a_journal_that_is_long_in_use_writes_little_more_than_what_is_saved() {
    // In memory, where there is such a place: this counts, it does not flush.
    let shared = Path::new("/dev/shm");
    let scratch = match shared.is_dir() {
        true => tempfile::tempdir_in(shared).unwrap(),
        false => tempfile::tempdir().unwrap(),
    };
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    watchdog::run(watchdog::child("save until nothing is new", scratch.path()));
    let written = fs::read_to_string(scratch.path().join("written")).unwrap();
    let (bytes, calls) = written.split_once(' ').unwrap();
    assert_eq!(calls, "1000");
    assert!(bytes.parse::<u64>().unwrap() <= 1000 * 8250, "{bytes}");
    // What is kept is bounded, and so are the files.
    let files = fs::read_dir(session.location().unwrap()).unwrap();
    let size: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= 4 << 20, "{size}");
}
