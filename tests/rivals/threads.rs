//! Threads of one process that want the same.

use std::sync::Barrier;
use std::thread;

use pitstop::{CreateOptions, Error, Format, Repository, SessionId};

use super::place;

fn creators_at_the_same_instant_never_share_a_session(format: Format) {
    let scratch = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    let mut ids: Vec<SessionId> = thread::scope(|scope| {
        let create = || {
            // Each makes the directories above too.
            let repository =
                Repository::open(scratch.path().join("a/b/sessions")).unwrap().with_format(format);
            start.wait();
            let options = CreateOptions::new().prefix("same");
            let create = |_| repository.create(&options).unwrap().id().clone();
            (0..10).map(create).collect::<Vec<_>>()
        };
        let started: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        started.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 80);
}

fn one_of_many_makes_a_session_that_all_want(format: Format) {
    let scratch = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    for round in 0..10 {
        let id = SessionId::new(format!("job {round}")).unwrap();
        let (made, got) = thread::scope(|scope| {
            let both = || {
                let repository =
                    Repository::open(scratch.path().join("sessions")).unwrap().with_format(format);
                start.wait();
                let made = match repository.create(&CreateOptions::new().id(id.clone())) {
                    Ok(_) => 1,
                    Err(Error::AlreadyExists { .. }) => 0,
                    Err(error) => panic!("{error:?}"),
                };
                start.wait();
                (made, usize::from(repository.get_or_create(format!("all {round}")).is_ok()))
            };
            let started: Vec<_> = (0..8).map(|_| scope.spawn(both)).collect();
            let sums = started.into_iter().map(|it| it.join().unwrap());
            sums.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
        });
        assert_eq!((made, got), (1, 8));
    }
}

fn threads_with_one_handle_exclude_each_other(format: Format) {
    let (_scratch, repository) = place(format);
    let session = repository.get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    let other = || thread::scope(|scope| scope.spawn(|| session.save(b"other")).join().unwrap());
    assert!(matches!(other(), Err(Error::Busy { .. })));
    writer.save(b"mine").unwrap();
    assert_eq!(session.load().unwrap().data, b"mine");
    drop(writer);
    other().unwrap();
    assert_eq!(session.load().unwrap().data, b"other");
}

on_both_formats!(
    creators_at_the_same_instant_never_share_a_session,
    one_of_many_makes_a_session_that_all_want,
    threads_with_one_handle_exclude_each_other,
);
