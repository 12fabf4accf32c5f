//! Pitstop beside the real PlainBox 0.4: each reads, continues and respects what the other does.
//!
//! PlainBox is installed once, from PyPI, below the target directory, and driven by
//! `plainbox/peer.py`. Where PyPI cannot be reached these tests say so and pass, but in CI they fail.
//! The tests of [`fixtures`] need nothing: they use what PlainBox made earlier.

mod fixtures;
mod peer;
mod rivals;

use std::fs;
use std::path::{Path, PathBuf};

use pitstop::{CreateOptions, Error, Format, Repository, SessionId, Unlocked, WriterState};
use serde_json::json;

use crate::watchdog::{child, run, within_time};
use peer::Peer;

/// A repository that both use, and PlainBox; `None` where that cannot be installed.
fn shared() -> Option<(tempfile::TempDir, Repository, Peer)> {
    let scratch = tempfile::tempdir().unwrap();
    let plainbox = Peer::start(scratch.path())?;
    let repository =
        Repository::open(scratch.path().join("sessions")).unwrap().with_format(Format::Plain);
    Some((scratch, repository, plainbox))
}

/// Nothing, one byte, every byte value, more than one read's worth.
fn payloads() -> Vec<Vec<u8>> {
    let every: Vec<u8> = (0..=255).collect();
    vec![Vec::new(), b"x".to_vec(), every.clone(), every.repeat(4096)]
}

fn id_of(location: &Path) -> SessionId {
    let name = location.file_name().unwrap().to_str().unwrap();
    SessionId::new(name.strip_suffix(".session").unwrap()).unwrap()
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn pitstop_reads_what_plainbox_makes_and_saves() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    for (data, legacy) in payloads().into_iter().zip([false, true, false, true]) {
        let location = plainbox.create(repository.location(), legacy);
        let session = repository.get(id_of(&location)).unwrap();
        assert_eq!(session.location().unwrap(), location);
        assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
        plainbox.save(&location, &data);
        let loaded = session.load().unwrap();
        assert!(loaded.data == data, "{} bytes came back different", data.len());
        let summary = session.status().unwrap().summary;
        assert_eq!((summary.size, summary.live), (Some(data.len() as u64), false));
        assert_eq!(repository.last().unwrap().is_some_and(|it| it.id() == session.id()), legacy);
    }
    let mut found: Vec<PathBuf> = Vec::new();
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    for summary in listing.sessions {
        found.push(repository.get(summary.id).unwrap().location().unwrap());
    }
    found.sort();
    // The first legacy session went when the second one came.
    assert_eq!((found.len(), found), (3, plainbox.list(repository.location())));
}

#[test]
fn plainbox_reads_what_pitstop_makes_and_saves() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    assert_eq!(plainbox.last(repository.location()), None);
    for (n, data) in payloads().into_iter().enumerate() {
        let session = repository.get_or_create(format!("my job {n}")).unwrap();
        session.save(&data).unwrap();
        session.make_last().unwrap();
        let location = session.location().unwrap();
        assert!(plainbox.load(&location) == data, "{} bytes came back different", data.len());
        assert_eq!(plainbox.last(repository.location()), Some(location.clone()));
        assert!(plainbox.list(repository.location()).contains(&location));
    }
    let never_saved = repository.create(&CreateOptions::new().prefix("Nightly run")).unwrap();
    let answer = plainbox.call(json!({"do": "load", "location": never_saved.location()}));
    assert_eq!(answer, json!({"error": "FileNotFoundError", "errno": 2}));
    assert_eq!(plainbox.list(repository.location()).len(), payloads().len() + 1);
}

#[test]
fn both_save_in_the_same_session_by_turns() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let theirs = plainbox.create(repository.location(), false);
    let ours = repository.get_or_create("ours").unwrap().location().unwrap();
    for location in [theirs, ours] {
        let session = repository.get(id_of(&location)).unwrap();
        for n in 0..10u32 {
            let (by_plainbox, by_pitstop) = (format!("plainbox {n}"), format!("pitstop {n}"));
            plainbox.save(&location, by_plainbox.as_bytes());
            assert_eq!(session.load().unwrap().data, by_plainbox.as_bytes());
            session.save(by_pitstop.as_bytes()).unwrap();
            assert_eq!(plainbox.load(&location), by_pitstop.as_bytes());
        }
        // What Pitstop keeps beside the checkpoint is one small file, and PlainBox's own save,
        // program and removal go past it.
        assert_eq!(names_in(&location), ["session", "session.writer"]);
        assert_eq!(fs::metadata(location.join("session.writer")).unwrap().len(), 0);
        let call = json!({"do": "checkpoint", "location": location, "title": "a title"});
        assert_eq!(plainbox.call(call), json!({"ok": null}));
        session.save(&session.load().unwrap().data).unwrap();
        let call = json!({"do": "resume", "location": location});
        assert_eq!(plainbox.call(call), json!({"ok": "a title"}));
        assert_eq!(
            plainbox.call(json!({"do": "remove", "location": location})),
            json!({"ok": null})
        );
        assert!(matches!(session.load(), Err(Error::NotFound { .. })));
    }
}

#[test]
fn a_writer_of_pitstop_sees_a_save_of_plainbox_in_between() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let session = repository.get_or_create("job").unwrap();
    let first = session.save(b"one").unwrap();
    plainbox.save(&session.location().unwrap(), b"two");
    let follows = pitstop::SaveOptions::new().follows(first.revision);
    assert!(matches!(session.save_with(b"three", &follows), Err(Error::Conflict { .. })));
    assert_eq!(session.load().unwrap().data, b"two");
}

#[test]
fn plainbox_replaces_the_session_that_pitstop_made_last_and_touches_nothing_else() {
    let Some((scratch, repository, mut plainbox)) = shared() else { return };
    // PlainBox deletes what the text of the link names from its current directory: a directory of the
    // same name must not be hit.
    let bystander = scratch.path().join("old.session");
    fs::create_dir(&bystander).unwrap();
    for id in ["old", "other"] {
        repository.get_or_create(id).unwrap().save(b"data").unwrap();
    }
    repository.get("old").unwrap().make_last().unwrap();
    let new = plainbox.create(repository.location(), true);
    assert!(matches!(repository.get("old"), Err(Error::NotFound { .. })));
    assert_eq!(repository.get("other").unwrap().load().unwrap().data, b"data");
    assert!(bystander.is_dir());
    assert_eq!(*repository.last().unwrap().unwrap().id(), id_of(&new));
    assert_eq!(repository.list().unwrap().sessions.len(), 2);
}

#[test]
fn pitstop_replaces_the_session_that_plainbox_made_last() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let old = plainbox.create(repository.location(), true);
    plainbox.save(&old, b"old");
    let new = repository.create(&CreateOptions::new().replace_last()).unwrap();
    assert_eq!(plainbox.last(repository.location()), Some(old.clone()));
    new.save(b"new").unwrap();
    assert_eq!(plainbox.last(repository.location()), new.location());
    assert_eq!(plainbox.list(repository.location()), [new.location().unwrap()]);
}

#[test]
fn a_last_session_that_plainbox_linked_by_a_relative_path_is_found() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let location = plainbox.create(Path::new("sessions"), true);
    let text = fs::read_link(repository.location().join("last-session")).unwrap();
    if text.is_relative() {
        // PlainBox itself loses it: the text starts from another directory.
        assert_eq!(plainbox.last(repository.location()), None);
    }
    assert_eq!(*repository.last().unwrap().unwrap().id(), id_of(&location));
}

#[test]
fn both_find_plainboxs_repository_by_the_same_rule() {
    let scratch = tempfile::tempdir().unwrap();
    let environments = [
        json!({"HOME": "/home/me"}),
        json!({"HOME": "/home/me/"}),
        json!({"HOME": "/home/me", "XDG_CACHE_HOME": ""}),
        json!({"HOME": "/home/me", "XDG_CACHE_HOME": "/cache"}),
        json!({"HOME": "/home/me", "XDG_CACHE_HOME": "relative"}),
        json!({"HOME": "relative"}),
        json!({"HOME": ""}),
        json!({}),
    ];
    for environment in environments {
        let Some(mut plainbox) = Peer::start(scratch.path()) else { return };
        let call = json!({"do": "default_location", "environment": environment});
        let theirs = plainbox.call(call)["ok"].as_str().unwrap().to_owned();
        let mut step = child("locations", scratch.path());
        step.env_remove("HOME").env_remove("XDG_CACHE_HOME");
        for (name, value) in environment.as_object().unwrap() {
            step.env(name, value.as_str().unwrap());
        }
        run(step);
        let ours = fs::read_to_string(scratch.path().join("locations")).unwrap();
        assert_eq!(ours.lines().next().unwrap(), theirs, "{environment}");
    }
}

#[test]
fn a_save_of_plainbox_that_was_killed_locks_until_it_is_moved_aside() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let location = plainbox.create(repository.location(), true);
    plainbox.save(&location, b"before");
    plainbox.die_in_save(&location, b"0123456789");
    let next = location.join("session.next");
    assert_eq!(fs::read(&next).unwrap(), b"01234");

    let session = repository.get(id_of(&location)).unwrap();
    assert_eq!(session.load().unwrap().data, b"before");
    let error = session.save(b"after").unwrap_err();
    assert!(matches!(&error, Error::Locked { path, .. } if *path == next), "{error}");
    assert!(matches!(session.remove(), Err(Error::Locked { .. })));
    let state = session.status().unwrap().writer;
    assert!(matches!(state, WriterState::PlainBox { stale: false, .. }), "{state:?}");

    let aside = location.join("session.aside-1");
    assert_eq!(session.unlock().unwrap(), Unlocked::MovedAside(aside.clone()));
    assert_eq!(fs::read(&aside).unwrap(), b"01234");
    assert_eq!(session.status().unwrap().writer, WriterState::Idle);
    assert_eq!(session.unlock().unwrap(), Unlocked::Nothing);
    session.save(b"after").unwrap();
    assert_eq!(session.load().unwrap().data, b"after");
    assert_eq!(fs::read(&aside).unwrap(), b"01234");

    let mut plainbox = Peer::start(repository.location()).unwrap();
    plainbox.save(&location, b"and on");
    assert_eq!(session.load().unwrap().data, b"and on");
}

#[test]
fn a_save_of_plainbox_that_is_under_way_is_left_alone() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let location = plainbox.create(repository.location(), false);
    plainbox.save(&location, b"before");
    let session = repository.get(id_of(&location)).unwrap();
    plainbox.begin_to_save(&location, b"by plainbox");

    assert!(matches!(session.save(b"by pitstop"), Err(Error::Locked { .. })));
    assert!(matches!(session.writer(), Err(Error::Locked { .. })));
    assert!(matches!(session.unlock(), Err(Error::Locked { .. })));
    assert!(matches!(session.remove(), Err(Error::Locked { .. })));
    let state = session.status().unwrap().writer;
    assert!(matches!(state, WriterState::PlainBox { stale: false, .. }), "{state:?}");
    assert_eq!(session.load().unwrap().data, b"before");
    assert_eq!(fs::read(location.join("session.next")).unwrap(), b"by plainbox");

    assert_eq!(plainbox.go_on(), json!({"ok": null}));
    assert_eq!(session.load().unwrap().data, b"by plainbox");
    session.save(b"by pitstop").unwrap();
    assert_eq!(plainbox.load(&location), b"by pitstop");
}

#[test]
fn plainbox_that_begins_to_save_while_pitstop_is_the_writer_makes_it_wait() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let session = repository.get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    writer.save(b"one").unwrap();
    plainbox.begin_to_save(&session.location().unwrap(), b"by plainbox");
    assert!(matches!(writer.save(b"two"), Err(Error::Locked { .. })));
    assert_eq!(plainbox.go_on(), json!({"ok": null}));
    assert_eq!(session.load().unwrap().data, b"by plainbox");
    writer.save(b"two").unwrap();
    assert_eq!(session.load().unwrap().data, b"two");
    assert_eq!(names_in(&session.location().unwrap()), ["session", "session.writer"]);
}

/// Two PlainBoxes in the same place install half a file; here the one whose lock was broken cannot.
#[test]
fn a_plainbox_whose_lock_was_broken_does_not_undo_a_save_of_pitstop() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let session = repository.get_or_create("job").unwrap();
    let location = session.location().unwrap();
    plainbox.begin_to_save(&location, b"by the slow one");
    let mut other = Peer::start(repository.location()).unwrap();
    assert_eq!(other.call(json!({"do": "break_lock", "location": location})), json!({"ok": null}));
    session.save(b"by pitstop").unwrap();
    assert_eq!(plainbox.go_on(), json!({"error": "FileNotFoundError", "errno": 2}));
    assert_eq!(session.load().unwrap().data, b"by pitstop");
}

/// What a Pitstop leaves that is killed in the middle of a save: see docs/compatibility.md.
#[test]
fn plainbox_goes_on_where_a_pitstop_was_killed() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    for renamed in [false, true] {
        let session = repository.get_or_create(format!("renamed {renamed}")).unwrap();
        session.save(b"before").unwrap();
        let location = session.location().unwrap();
        let new = location.join(if renamed { "session" } else { "session.new" });
        fs::write(&new, b"complete").unwrap();
        fs::hard_link(&new, location.join("session.next")).unwrap();
        let standing: &[u8] = if renamed { b"complete" } else { b"before" };
        assert_eq!(session.load().unwrap().data, standing);
        // It is no lock for Pitstop, ...
        assert_eq!(session.status().unwrap().writer, WriterState::Idle);
        let call = json!({"do": "save", "location": location, "data": ""});
        assert_eq!(plainbox.call(call)["error"], "LockedStorageError");
        // ... and for PlainBox one that its manager breaks.
        let call = json!({"do": "checkpoint", "location": location, "title": "a title"});
        assert_eq!(plainbox.call(call), json!({"ok": null}));
        session.save(b"after").unwrap();
        assert_eq!(plainbox.load(&location), b"after");
        assert_eq!(names_in(&location), ["session", "session.writer"]);
    }
}

#[test]
fn what_is_slow_in_plainbox_never_makes_pitstop_wait() {
    let Some((_scratch, repository, mut plainbox)) = shared() else { return };
    let session = repository.get_or_create("job").unwrap();
    plainbox.begin_to_save(&session.location().unwrap(), b"by plainbox");
    within_time(move || {
        assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
        assert!(matches!(session.save(b"by pitstop"), Err(Error::Locked { .. })));
        assert_eq!(repository.list().unwrap().sessions.len(), 1);
    });
    plainbox.go_on();
}
