//! Who holds the lease of a session, and who loses it.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use pitstop::{Error, PruneOptions, Repository, WriterState};

use super::faulty::{Faulty, Request};
use super::{LARGE, backend, named, repository};

/// One put and one get for each beat, of 20 seconds unless somebody says otherwise, and nothing else.
#[test]
fn an_idle_writer_only_gives_signs_of_life() {
    let store = Arc::new(Faulty::new());
    let of_the_rule = repository(store.clone()).create(&named("job")).unwrap().writer().unwrap();
    let head = store.bytes("/job");
    assert!(head.windows(12).any(|it| it == b"\"beat\":20000"), "{head:?}");
    drop(of_the_rule);
    let backend = backend(store.clone()).with_heartbeat(Duration::from_millis(10));
    let writer = Repository::with_backend(backend).get("job").unwrap().writer().unwrap();
    store.take_requests();
    let mut before = None;
    for _ in 0..3 {
        while before == store.bytes_if_there("/w/") {
            std::thread::yield_now();
        }
        before = store.bytes_if_there("/w/");
    }
    // Each is put, and then the head is looked at.
    let requests = store.take_requests();
    assert!(requests.iter().all(|it| matches!(it, Request::Put | Request::Get)), "{requests:?}");
    let count = |kind| requests.iter().filter(|it| **it == kind).count();
    assert!(count(Request::Get) <= count(Request::Put) && count(Request::Put) >= 3);
    drop(writer);
}

/// The clocks of two machines are never compared. A writer on one of them is left alone for as long as it
/// shows that it lives; one that is silent loses its place, and is told at its next save.
#[test]
fn a_writer_elsewhere_keeps_its_place_while_it_lives() {
    const BEAT: Duration = Duration::from_millis(100);
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let on = |machine: &str| {
        Repository::with_backend(backend(store.clone()).on_machine(machine).with_heartbeat(BEAT))
    };
    let (here, there) = (on("here"), on("there"));
    let mine = here.get_or_create("job").unwrap();
    let theirs = there.get("job").unwrap();
    let mut writer = mine.writer().unwrap();
    writer.save(b"mine").unwrap();
    // It beats by itself, so that it is seen to live though it does not save.
    for _ in 0..3 {
        assert!(matches!(theirs.writer(), Err(Error::Busy { owner: Some(_), .. })));
    }
    assert!(matches!(theirs.save(b"theirs"), Err(Error::Busy { .. })));
    assert!(matches!(theirs.remove(), Err(Error::Busy { .. })));
    assert!(matches!(theirs.status().unwrap().writer, WriterState::Live(Some(_))));
    // As if the machine were cut off: nothing comes, and nothing is given back.
    std::mem::forget(std::mem::replace(&mut writer, dead_writer(&here)));
    drop(writer);
    let mut second = theirs.writer();
    // The one that was forgotten still beats in this process; a machine that is gone does not.
    assert!(matches!(second, Err(Error::Busy { .. })));
    assert!(matches!(theirs.unlock().unwrap(), pitstop::Unlocked::Displaced(_)));
    second = theirs.writer();
    second.unwrap().save(b"theirs").unwrap();
    assert_eq!(mine.load().unwrap().data, b"theirs");
}

fn dead_writer(repository: &Repository) -> pitstop::Writer {
    repository.get_or_create("another").unwrap().writer().unwrap()
}

/// A writer that slept through whatever others did gets a conflict, and never does its save get lost.
#[test]
fn a_writer_that_slept_gets_a_conflict() {
    let all =
        ["takeover", "save", "prune", "save and prune", "remove", "made anew", "trash", "restored"];
    for what in all {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        // Its sign of life never comes.
        let sleeper =
            backend(store.clone()).on_machine("a").with_heartbeat(Duration::from_secs(600));
        let other = Repository::with_backend(backend(store).on_machine("b"));
        let session = Repository::with_backend(sleeper).get_or_create("job").unwrap();
        let mut writer = session.writer().unwrap();
        writer.save(&[4; LARGE]).unwrap();
        let first = writer.save(b"first").unwrap();
        let theirs = other.get("job").unwrap();
        theirs.unlock().unwrap();
        match what {
            "takeover" => drop(theirs.writer().unwrap()),
            "save" => drop(theirs.save(b"second").unwrap()),
            "trash" => drop(theirs.trash().unwrap()),
            "restored" => {
                let trashed = theirs.trash().unwrap();
                drop(other.restore_from_trash(&trashed, &trashed.id).unwrap());
            }
            "prune" | "save and prune" => {
                if what != "prune" {
                    theirs.save(b"second").unwrap();
                }
                assert!(!theirs.prune(&PruneOptions::new().keep(1)).unwrap().gone.is_empty());
            }
            _ => drop(theirs.remove().unwrap()),
        }
        if what == "made anew" {
            other.create(&named("job")).unwrap().save(b"anew").unwrap();
        }
        for data in [&b"late"[..], &[5; LARGE]] {
            match writer.save(data) {
                Err(Error::Conflict { expected, .. }) => {
                    assert_eq!(expected, first.revision, "{what}")
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        drop(writer);
        let expected: &[u8] = match what {
            "takeover" | "prune" | "restored" => b"first",
            "save" | "save and prune" => b"second",
            "made anew" => b"anew",
            _ => {
                assert!(matches!(theirs.load(), Err(Error::NotFound { .. })), "{what}");
                continue;
            }
        };
        assert_eq!(theirs.load().unwrap().data, expected, "{what}");
    }
}

/// Silent for as long as three of its own beats, by the clock of the one who watches.
#[test]
fn a_silent_writer_loses_its_place_and_nothing_is_to_be_broken_by_hand() {
    let store = Arc::new(Faulty::new());
    let on = |machine: &str| {
        let backend = backend(store.clone()).on_machine(machine);
        Repository::with_backend(backend.with_heartbeat(Duration::from_millis(100)))
    };
    let session = on("gone").get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    writer.save(b"last words").unwrap();
    // Its requests get nowhere from now on.
    store.lose_heartbeats("");
    let next = on("next").get("job").unwrap();
    next.save(b"goes on").unwrap();
    assert!(matches!(writer.save(b"late"), Err(Error::Conflict { .. })));
    assert_eq!(next.load().unwrap().data, b"goes on");
}

const BEAT: Duration = Duration::from_millis(100);

/// A repository as another machine sees it, or another boot of one: nothing else is known of a machine.
fn on(store: &Arc<Faulty>, machine: &str) -> Repository {
    Repository::with_backend(backend(store.clone()).on_machine(machine).with_heartbeat(BEAT))
}

/// The token of the lease of the only session.
fn token(store: &Faulty) -> String {
    let head = String::from_utf8_lossy(&store.bytes("/h/")).into_owned();
    let (_, token) = head.split_once("\"token\":\"").unwrap();
    token[..16].to_owned()
}

/// Returns when a heartbeat of this lease has come.
fn await_heartbeat(store: &Faulty, token: &str) {
    let before = store.bytes_if_there(token);
    while store.bytes_if_there(token) == before {
        std::thread::sleep(BEAT / 20);
    }
}

/// The heartbeats of a writer that lost its lease while it slept keep nobody in its place, and end.
#[test]
fn who_wakes_up_without_its_lease_keeps_no_dead_one_in_its_place() {
    let store = Arc::new(Faulty::new());
    let session = on(&store, "sleeper").get_or_create("job").unwrap();
    let mut sleeper = session.writer().unwrap();
    sleeper.save(b"asleep").unwrap();
    let asleep = token(&store);
    store.lose_heartbeats("");
    let dead = on(&store, "dead").get("job").unwrap().writer().unwrap();
    let died = token(&store);
    assert_ne!(asleep, died);
    std::mem::forget(dead);
    // The one wakes up; the other never does.
    store.lose_no_heartbeats();
    store.lose_heartbeats(&died);
    let mut next = on(&store, "next").get("job").unwrap().writer().unwrap();
    next.save(b"goes on").unwrap();
    let stands = token(&store);
    await_heartbeat(&store, &stands);
    let of_the_sleeper = store.bytes_if_there(&asleep);
    await_heartbeat(&store, &stands);
    await_heartbeat(&store, &stands);
    assert_eq!(store.bytes_if_there(&asleep), of_the_sleeper);
    assert!(matches!(sleeper.save(b"late"), Err(Error::Conflict { .. })));
    drop((sleeper, next));
    // What is left of both is swept, and what the last one left it deleted itself.
    on(&store, "next").sweep(false).unwrap();
    assert!(!store.keys().iter().any(|it| it.contains("/w/")), "{:?}", store.keys());
}

/// A heartbeat that fails is sent again before the next one is due.
#[test]
fn a_heartbeat_that_fails_three_times_displaces_nobody() {
    let store = Arc::new(Faulty::new());
    store.fail_heartbeats(3);
    let mut writer = on(&store, "here").get_or_create("job").unwrap().writer().unwrap();
    let theirs = on(&store, "there").get("job").unwrap();
    for _ in 0..3 {
        assert!(matches!(theirs.writer(), Err(Error::Busy { .. })));
    }
    writer.save(b"still the writer").unwrap();
}

/// Two machines that were made of one image, or one that was started anew: that is no proof of anything.
#[test]
fn another_boot_is_watched_and_displaces_nobody() {
    let store = Arc::new(Faulty::new());
    let mut writer = on(&store, "first boot").get_or_create("job").unwrap().writer().unwrap();
    let theirs = on(&store, "second boot").get("job").unwrap();
    assert!(matches!(theirs.writer(), Err(Error::Busy { .. })));
    writer.save(b"still the writer").unwrap();
    store.lose_heartbeats("");
    theirs.save(b"it was started anew").unwrap();
}

/// The response to acquiring a lease is lost for so long that the caller is told so: then the lease is released when the
/// store answers again, and not held until the process ends.
#[test]
fn a_lease_of_which_nothing_is_known_is_released() {
    let store = Arc::new(Faulty::new());
    let short = super::backend_with(store.clone(), Duration::ZERO).with_heartbeat(BEAT / 10);
    let session = Repository::with_backend(short).get_or_create("job").unwrap();
    session.save(b"first").unwrap();
    store.plan(Some((1, super::Fault::GoneAfter)));
    assert!(matches!(session.writer(), Err(Error::Indeterminate { .. })));
    store.plan(None);
    while String::from_utf8_lossy(&store.bytes("/h/")).contains("\"token\"") {
        std::thread::sleep(BEAT / 20);
    }
    on(&store, "there").get("job").unwrap().save(b"second").unwrap();
}
