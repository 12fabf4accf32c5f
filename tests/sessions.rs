//! What a user does with a repository in a directory, and what it may hold beside sessions.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitstop::{CreateOptions, Error, Repository, SessionId};

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
