//! Two processes that want the same: each is told the truth, and whoever looks sees nothing half-done.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitstop::{CreateOptions, Error, Format, Repository, Session};

use super::{Rival, StopAtEnd, entries, ids, named, names, open, place, race, sorted, tell};

fn of_two_creators_of_one_name_one_succeeds(format: Format) {
    let (scratch, repository) = place(format);
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    for round in 0..100 {
        let id = format!("job-{round}");
        let order = format!("create {id}");
        let answers = sorted(race(&mut rivals, [&order, &order]));
        assert_eq!(answers, ["AlreadyExists", "Ok"]);
        repository.get(&id).unwrap().save(b"usable").unwrap();
        let order = format!("get_or_create other-{round}");
        assert_eq!(race(&mut rivals, [&order, &order]), ["Ok", "Ok"]);
    }
    assert_eq!(ids(&repository).len(), 200);
    rivals.into_iter().for_each(Rival::end);
}

fn made_up_names_never_meet(format: Format) {
    let (scratch, repository) = place(format);
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    let mut made = HashSet::new();
    for _ in 0..50 {
        made.extend(race(&mut rivals, ["generate", "generate"]));
    }
    assert_eq!(made.len(), 100);
    let listed: HashSet<String> =
        ids(&repository).into_iter().map(|id| format!("Ok {id}")).collect();
    assert_eq!(made, listed);
    rivals.into_iter().for_each(Rival::end);
}

fn of_two_removers_one_succeeds(format: Format) {
    let (scratch, repository) = place(format);
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    for _ in 0..100 {
        let session = repository.get_or_create("job").unwrap();
        session.save(b"state").unwrap();
        std::fs::write(session.location().unwrap().join("log"), "the program's own").unwrap();
        let [other, done] = sorted(race(&mut rivals, ["remove job", "remove job"]));
        assert_eq!(done, "Ok");
        assert!(["Busy", "NotFound"].contains(&other.as_str()), "{other}");
        assert!(matches!(session.load(), Err(Error::NotFound { .. })));
        assert!(entries(&repository).is_empty(), "{:?}", entries(&repository));
    }
    rivals.into_iter().for_each(Rival::end);
}

/// A save that is acknowledged is there, or went with the session as a whole.
fn a_save_and_a_removal_do_not_mix(format: Format) {
    let (scratch, repository) = place(format);
    let mut rivals = [(); 3].map(|()| Rival::start("obey", scratch.path()));
    let mut seen = HashSet::new();
    for round in 0..200 {
        let session = repository.get_or_create("job").unwrap();
        session.save(b"before").unwrap();
        if round % 2 == 0 {
            // As PlainBox would have made it.
            std::fs::remove_file(session.location().unwrap().join("session.writer")).unwrap();
        }
        let (one, two) = (format!("save job one-{round}"), format!("save job two-{round}"));
        let [removed, one, two] = race(&mut rivals, ["remove job", &one, &two]);
        for saved in [&one, &two] {
            assert!(["Ok", "Busy", "NotFound"].contains(&saved.as_str()), "{saved}");
        }
        match removed.as_str() {
            "Ok" => {
                assert!(matches!(session.load(), Err(Error::NotFound { .. })));
                assert!(entries(&repository).is_empty(), "{:?}", entries(&repository));
            }
            "Busy" => {
                let data = String::from_utf8(session.load().unwrap().data).unwrap();
                let saved =
                    [("one", &one), ("two", &two)].into_iter().filter(|(_, it)| *it == "Ok");
                let saved: Vec<String> = saved.map(|(who, _)| format!("{who}-{round}")).collect();
                assert!(saved.contains(&data), "{data}, of {saved:?}");
                assert_eq!(ids(&repository).len(), 1);
                let mut left = names(&session.location().unwrap());
                // Where no removal came through for long, there is more than one segment.
                left.retain(|name| !name.starts_with("session.journal-"));
                let checkpoint =
                    if format == Format::Plain { "session" } else { "session.journal" };
                assert_eq!(left, [checkpoint, "session.writer"]);
            }
            other => panic!("{other}"),
        }
        seen.insert((removed, one, two));
    }
    eprintln!("{} different outcomes", seen.len());
    assert!(seen.len() > 1);
    rivals.into_iter().for_each(Rival::end);
}

/// To one who looks, a session that is being removed is there with its checkpoint, or not there.
fn a_reader_never_sees_half_of_a_removal(format: Format) {
    const SESSIONS: usize = 100;
    let (scratch, repository) = place(format);
    let sessions: Vec<Session> = (0..SESSIONS)
        .map(|n| {
            let session = repository.create(&named(&format!("job-{n}"))).unwrap();
            session.save(b"state").unwrap();
            session
        })
        .collect();
    thread::scope(|scope| {
        for what in ["load", "status", "list", "make_last"] {
            let sessions = &sessions;
            let repository = open(scratch.path());
            scope.spawn(move || {
                for session in sessions {
                    while is_whole(&repository, session.id().as_str(), what) {}
                }
            });
        }
        let mut remover = Rival::start("obey", scratch.path());
        for session in &sessions {
            remover.order(&format!("remove {}", session.id()));
            assert_eq!(remover.answer(), "Ok");
        }
        remover.end();
    });
    assert_eq!(entries(&repository), ["last-session"]);
}

/// Whether the session is there; whole, if it is.
fn is_whole(repository: &Repository, id: &str, look: &str) -> bool {
    let session = repository.get(id);
    let outcome = match look {
        "load" => session.and_then(|it| it.load()).map(|it| assert_eq!(it.data, b"state")),
        "status" => {
            session.and_then(|it| it.status()).map(|it| assert_eq!(it.summary.size, Some(5)))
        }
        "make_last" => session.and_then(|it| it.make_last()),
        _ => {
            let listing = repository.list().unwrap();
            assert!(listing.problems.is_empty(), "{:?}", listing.problems);
            assert!(
                listing.sessions.iter().all(|it| it.size == Some(5)),
                "half a session is listed"
            );
            return listing.sessions.iter().any(|it| it.id.as_str() == id);
        }
    };
    match outcome {
        Ok(()) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{look}: {error:?}"),
    }
}

pub(super) fn churn(repository: &Repository, name: &str, rounds: u64) {
    for round in 0..rounds {
        let session = repository.create(&named(&format!("{name}-{}", round % 3))).unwrap();
        session.save(b"one").unwrap();
        session.save(b"two").unwrap();
        session.make_last().unwrap();
        let removal = session.remove().unwrap();
        assert!(removal.remains.is_empty(), "{removal:?}");
        tell("done");
    }
}

fn a_listing_misses_nothing_and_reports_nothing(format: Format) {
    let (scratch, repository) = place(format);
    let steady: HashSet<String> = (0..20).map(|n| format!("steady-{n}")).collect();
    for id in &steady {
        repository.create(&named(id)).unwrap().save(b"kept").unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let lister = scope.spawn(|| {
            let mut listings = 0;
            while !stop.load(Ordering::SeqCst) {
                assert!(ids(&repository).is_superset(&steady));
                listings += 1;
            }
            listings
        });
        let stop = StopAtEnd(&stop);
        let churners =
            ["a", "b"].map(|it| Rival::start(&format!("churn {it} 100"), scratch.path()));
        churners.into_iter().for_each(Rival::end);
        drop(stop);
        eprintln!("{} listings", lister.join().unwrap());
    });
    assert_eq!(ids(&repository), steady);
    for id in &steady {
        assert_eq!(repository.get(id).unwrap().load().unwrap().data, b"kept");
    }
}

/// Looks at the last session all the while that `work` is done; `judge` gets it each time.
fn watch_last(place: &Path, judge: impl Fn(Session) + Sync, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(Ordering::SeqCst) {
                judge(open(place).last().unwrap().expect("there is a last session at any time"));
                looks += 1;
            }
            looks
        });
        let stop = StopAtEnd(&stop);
        work();
        drop(stop);
        eprintln!("{} looks at the last session", watcher.join().unwrap());
    });
}

fn two_that_make_the_last_session_leave_one_at_any_time(format: Format) {
    let (scratch, repository) = place(format);
    for id in ["one", "two"] {
        repository.create(&named(id)).unwrap().save(id.as_bytes()).unwrap();
    }
    repository.get("one").unwrap().make_last().unwrap();
    let judge = |last: Session| {
        assert_eq!(last.load().unwrap().data, last.id().as_str().as_bytes());
    };
    watch_last(scratch.path(), judge, || {
        let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
        for round in 0..200 {
            let second = if round % 2 == 0 { "make_last two" } else { "make_last one" };
            assert_eq!(race(&mut rivals, ["make_last one", second]), ["Ok", "Ok"]);
        }
        rivals.into_iter().for_each(Rival::end);
    });
    assert_eq!(entries(&repository), ["last-session", "one.session", "two.session"]);
}

pub(super) fn replace_again_and_again(repository: &Repository, rounds: u64) {
    let options = CreateOptions::new().prefix("run").replace_last();
    for round in 0..rounds {
        let mut writer = repository.create(&options).unwrap().writer().unwrap();
        for step in 0..3 {
            writer.save(format!("round {round}, step {step}").as_bytes()).unwrap();
        }
        tell("done");
    }
}

/// A program that keeps one session, started twice: there is a checkpoint to resume at any time.
fn two_programs_that_replace_the_last_session(format: Format) {
    let (scratch, repository) = place(format);
    repository.create(&named("first").replace_last()).unwrap().save(b"round 0").unwrap();
    let judge = |last: Session| match last.load() {
        Ok(checkpoint) => assert!(checkpoint.data.starts_with(b"round")),
        // Replaced since we asked.
        Err(Error::NotFound { .. }) => (),
        Err(error) => panic!("{error:?}"),
    };
    watch_last(scratch.path(), judge, || {
        let rivals = [(); 2].map(|()| Rival::start("replace 100", scratch.path()));
        rivals.into_iter().for_each(Rival::end);
    });
    let last = repository.last().unwrap().unwrap();
    assert_eq!(last.load().unwrap().data, b"round 99, step 2");
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty() && listing.sessions.iter().all(|it| !it.live));
}

on_both_formats!(
    of_two_creators_of_one_name_one_succeeds,
    made_up_names_never_meet,
    of_two_removers_one_succeeds,
    a_save_and_a_removal_do_not_mix,
    a_reader_never_sees_half_of_a_removal,
    a_listing_misses_nothing_and_reports_nothing,
    two_that_make_the_last_session_leave_one_at_any_time,
    two_programs_that_replace_the_last_session,
);
