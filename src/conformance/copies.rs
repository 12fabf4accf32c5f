//! Copies to other repositories.

use std::time::{Duration, SystemTime};

use super::{Subject, assert_error, create};
use crate::{
    Checkpoint, CheckpointInfo, CopyOptions, Error, MemoryBackend, Repository, SaveOptions,
    Session, SessionId,
};

/// A session with a gap in its numbers, and labels, of long ago.
fn original() -> Session {
    let session = Repository::with_backend(MemoryBackend::new()).get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    for (nth, number) in [2, 3, 7].into_iter().enumerate() {
        let saved = Some(long_ago + Duration::from_secs(nth as u64));
        let options = SaveOptions { number: Some(number), saved, ..SaveOptions::new() };
        let data = number.to_string().repeat(1000);
        writer.save_with(data.as_bytes(), &options.label("step", data[..1].to_owned())).unwrap();
    }
    drop(writer);
    session
}

fn newest(session: &Session) -> Checkpoint {
    session.load().unwrap()
}

fn revisions(session: &Session) -> Vec<CheckpointInfo> {
    session.history().unwrap().revisions.into_iter().map(|it| it.info).collect()
}

pub(super) fn copies_have_the_history(repository: &Subject) {
    let original = original();
    let mut seen = Vec::new();
    let options = repository.copying().progress(|it| seen.push((it.done, it.total)));
    let copied = original.copy_to(repository, options).unwrap();
    let copy = copied.session;
    let (info, there) = (newest(&copy).info, newest(&original).info);
    assert_eq!((info.saved, info.digest), (there.saved, there.digest));
    if repository.capabilities.history {
        assert_eq!(copied.revisions, 3);
        assert_eq!(revisions(&copy), revisions(&original));
        assert!([1000, 2000, 3000].iter().all(|it| seen.contains(&(*it, 3000))), "{seen:?}");
        assert!(seen.is_sorted() && seen.last() == Some(&(3000, 3000)), "{seen:?}");
        for info in revisions(&original) {
            let load = |session: &Session| session.load_revision(info.revision).unwrap();
            assert_eq!(load(&copy), load(&original));
        }
        // The next number is one that was never given.
        assert_eq!(copy.save(b"next").unwrap().revision.number(), Some(8));
    } else {
        assert_eq!((copied.revisions, copied.without_history), (1, 2));
        assert_eq!(copied.without_labels["step"], "7");
        assert!(seen.iter().all(|it| *it == (1000, 1000)) && !seen.is_empty(), "{seen:?}");
        copy.save(b"next").unwrap();
    }
    // And back, and within the same repository.
    let elsewhere = Repository::with_backend(MemoryBackend::new());
    let back = copy.copy_to(&elsewhere, CopyOptions::new()).unwrap().session;
    assert_eq!(newest(&back).data, b"next");
    assert_eq!(newest(&back).info.saved, newest(&copy).info.saved);
    let options = CopyOptions::new().id(SessionId::new("other").unwrap());
    let other = copy.copy_to(repository, options).unwrap().session;
    assert_eq!(newest(&other).data, b"next");
    if repository.capabilities.history {
        assert_eq!(revisions(&back), revisions(&copy));
        assert_eq!(revisions(&other), revisions(&copy));
    }
    // What was never saved is copied, too.
    create(repository, "empty").copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_error!(elsewhere.get("empty").unwrap().load(), Error::NoCheckpoint { .. });
    assert_error!(
        repository.session(SessionId::new("none").unwrap()).copy_to(&elsewhere, CopyOptions::new()),
        Error::NotFound { .. }
    );
    assert_error!(elsewhere.get("none"), Error::NotFound { .. });
}

/// However much the program saves meanwhile: what was the newest is in the copy.
pub(super) fn copies_of_a_busy_session_end(repository: &Subject) {
    let session = create(repository, "busy");
    let long = |number: u8| vec![number; 100_000];
    for number in 1..=3 {
        session.save(&long(number)).unwrap();
    }
    let elsewhere = Repository::with_backend(MemoryBackend::new());
    let mut next = 4..40;
    let options = CopyOptions::new().progress(|_| {
        // All that there was is given up with the first piece.
        next.by_ref().for_each(|number| drop(session.save(&long(number)).unwrap()));
    });
    let copy = session.copy_to(&elsewhere, options).unwrap().session;
    assert_eq!(newest(&copy).data, long(3));
    assert!(next.is_empty());
}

pub(super) fn copies_go_on(repository: &Subject) {
    let original = original();
    let copy = || original.copy_to(repository, repository.copying()).unwrap();
    // It was made, and nothing else was done.
    create(repository, "job");
    copy();
    assert_eq!(copy().revisions, 0);
    original.save(b"8").unwrap();
    original.save(b"9").unwrap();
    let history = repository.capabilities.history;
    assert_eq!(copy().revisions, if history { 2 } else { 1 });
    assert_eq!(newest(&copy().session).data, b"9");
    if history {
        assert_eq!(revisions(&copy().session), revisions(&original));
    }
    // One that runs is copied, and one that is written is not copied to.
    let _running = original.writer().unwrap();
    assert_eq!(copy().revisions, 0);
    let _writer = copy().session.writer().unwrap();
    assert_error!(original.copy_to(repository, repository.copying()), Error::Busy { .. });
}

pub(super) fn copies_do_not_mix(repository: &Subject) {
    let original = original();
    let copy = original.copy_to(repository, repository.copying()).unwrap().session;
    copy.save(b"its own").unwrap();
    let diverged = original.copy_to(repository, repository.copying());
    assert_error!(diverged, Error::Diverged { .. });
    // The same number is not the same checkpoint.
    original.save(b"another").unwrap();
    let diverged = original.copy_to(repository, repository.copying());
    assert_error!(diverged, Error::Diverged { .. });
    assert_eq!(newest(&copy).data, b"its own");
}

pub(super) fn repositories_are_copied(repository: &Subject) {
    for id in ["one", "two", "three"] {
        create(repository, id).save(id.as_bytes()).unwrap();
    }
    repository.get("two").unwrap().make_last().unwrap();
    let elsewhere = Repository::with_backend(MemoryBackend::new());
    elsewhere.get_or_create("one").unwrap().save(b"another").unwrap();
    let copied = repository.copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_eq!(copied.copied.len(), 2);
    assert_eq!(copied.problems.len(), 1);
    assert_eq!(copied.problems[0].name, "one");
    assert!(matches!(copied.problems[0].error, Error::Diverged { .. }), "{copied:?}");
    assert_eq!(elsewhere.get("one").unwrap().load().unwrap().data, b"another");
    assert_eq!(elsewhere.get("three").unwrap().load().unwrap().data, b"three");
    assert_eq!(elsewhere.last().unwrap().unwrap().id().as_str(), "two");
    // One that has a last session keeps it.
    elsewhere.get("three").unwrap().make_last().unwrap();
    repository.copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_eq!(elsewhere.last().unwrap().unwrap().id().as_str(), "three");
}
