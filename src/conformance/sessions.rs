//! Making sessions, listing them, and their one writer.

use std::collections::HashSet;

use super::{Subject, assert_error, change_last_of_all, create, ids};
use crate::{Error, ListOptions, ProgramEnd, ProgramState, PruneOptions, Unlocked, WriterState};

pub(super) fn new_session_has_no_checkpoint(repository: &Subject) {
    assert!(ids(repository).is_empty());
    assert!(repository.last().unwrap().is_none());
    assert_error!(repository.get("job"), Error::NotFound { .. });
    let session = create(repository, "job");
    assert_error!(session.load(), Error::NoCheckpoint { .. });
    let summary = session.status().unwrap().summary;
    assert_eq!((summary.saved, summary.size, summary.live), (None, None, false));
    assert_eq!(ids(repository), ["job"]);
    // Saving nothing is saving.
    session.save(b"").unwrap();
    assert_eq!(session.load().unwrap().data, b"");
    assert_eq!(session.status().unwrap().summary.size, Some(0));
}

pub(super) fn name_is_given_once(repository: &Subject) {
    let session = create(repository, "my job (größer)");
    session.save(b"kept").unwrap();
    let again = repository.options().id(session.id().clone());
    assert_error!(repository.create(&again), Error::AlreadyExists { .. });
    let same = repository.get_or_create("my job (größer)").unwrap();
    assert_eq!(same.load().unwrap().data, b"kept");
}

pub(super) fn made_up_names_differ(repository: &Subject) {
    let options = repository.options().prefix("run of / the day");
    let made: HashSet<String> =
        (0..20).map(|_| repository.create(&options).unwrap().id().to_string()).collect();
    assert_eq!(made.len(), 20);
    assert!(made.iter().all(|id| id.starts_with("run-of---the-day-")), "{made:?}");
    assert_eq!(ids(repository).into_iter().collect::<HashSet<_>>(), made);
}

pub(super) fn there_is_one_writer(repository: &Subject) {
    let session = create(repository, "job");
    assert_eq!(session.status().unwrap().writer, WriterState::Idle);
    let mut writer = session.writer().unwrap();
    match session.writer() {
        Err(Error::Busy { owner: Some(owner), .. }) => assert_eq!(owner.pid, std::process::id()),
        other => panic!("expected Busy with an owner, got {other:?}"),
    }
    assert_error!(session.save(b"displaced"), Error::Busy { .. });
    let status = session.status().unwrap();
    assert!(matches!(status.writer, WriterState::Live(Some(_))) && status.summary.live);
    writer.save(b"mine").unwrap();
    assert_eq!(session.load().unwrap().data, b"mine");
    // Looking does not disturb it, and other sessions have writers of their own.
    create(repository, "other").save(b"other").unwrap();
    drop(writer);
    assert_eq!(session.status().unwrap().writer, WriterState::Idle);
    session.save(b"next").unwrap();
    assert_eq!(session.load().unwrap().data, b"next");
}

pub(super) fn end_is_kept(repository: &Subject) {
    let session = create(repository, "job");
    let states = || {
        let status = session.status().unwrap();
        assert_eq!(status.summary.state, Some(status.writer.program()));
        let listed = repository.list_with(&ListOptions::new().in_full()).unwrap().sessions;
        assert_eq!((listed[0].state, listed[0].live), (status.summary.state, status.summary.live));
        status.writer
    };
    for (end, state) in [
        (ProgramEnd::Done, ProgramState::Done),
        (ProgramEnd::Stopped, ProgramState::Stopped),
        (ProgramEnd::Failed(3), ProgramState::Failed { exit_code: 3 }),
        (ProgramEnd::Interrupted, ProgramState::Interrupted),
    ] {
        let mut writer = session.writer().unwrap();
        assert_eq!(writer.found(), ProgramState::Idle);
        assert_eq!(states().program(), ProgramState::Running);
        writer.save(b"state").unwrap();
        writer.finish(end).unwrap();
        match states() {
            WriterState::Interrupted(owner) | WriterState::Ended { owner, .. } => {
                assert_eq!(owner.pid, std::process::id());
            }
            other => panic!("expected a record of {end:?}, got {other:?}"),
        }
        assert_eq!(states().program(), state);
        // Housekeeping is no writer.
        let trashed = session.trash().unwrap();
        assert_eq!(trashed.summary.unwrap().state, Some(state));
        let trashed = repository.trash().unwrap().remove(0);
        assert_eq!(trashed.summary.as_ref().unwrap().state, Some(state));
        repository.restore_from_trash(&trashed, session.id()).unwrap();
        let _ = session.prune(&PruneOptions::new().keep(1));
        let _ = session.unlock().unwrap();
        // The next writer finds it, and leaves none of its own.
        let writer = session.writer().unwrap();
        assert_eq!(writer.found(), state);
        drop(writer);
        assert_eq!(states(), WriterState::Idle);
        session.writer().unwrap().finish(end).unwrap();
        session.save(b"by hand").unwrap();
        assert_eq!(states(), WriterState::Idle);
    }
}

pub(super) fn listing_has_newest_first(repository: &Subject) {
    for id in ["b", "a", "c"] {
        create(repository, id);
    }
    for id in ["c", "b", "a", "c"] {
        let session = repository.get(id).unwrap();
        change_last_of_all(repository, || session.save(id.as_bytes()).unwrap());
        assert_eq!(ids(repository)[0], id);
    }
    assert_eq!(ids(repository), ["c", "a", "b"]);
}

pub(super) fn unlock_disturbs_nobody(repository: &Subject) {
    let session = create(repository, "job");
    assert_eq!(session.unlock().unwrap(), Unlocked::Nothing);
    let mut writer = session.writer().unwrap();
    assert_error!(session.unlock(), Error::Busy { .. });
    writer.save(b"state").unwrap();
}
