//! Sessions in an object store, where requests fail, get lost and come twice.

mod endings;
mod faulty;
mod listing;
mod many;
mod named_store;
mod pieces;
mod pruning;
mod seaweed;

use std::sync::Arc;
use std::time::Duration;

use faulty::{Fault, Faulty, Request};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use pitstop::{
    CreateOptions, Error, ObjectBackend, PruneOptions, Repository, Retention, Revision,
    SaveOptions, Session, SessionId, WriterState,
};

const PATIENCE: Duration = Duration::from_millis(300);

fn repository(store: Arc<dyn ObjectStore>) -> Repository {
    Repository::with_backend(backend(store))
}

fn backend(store: Arc<dyn ObjectStore>) -> ObjectBackend {
    ObjectBackend::with_store("test://store", store, "some/prefix", PATIENCE).unwrap()
}

fn named(id: &str) -> CreateOptions {
    CreateOptions::new().id(SessionId::new(id).unwrap())
}

const LARGE: usize = 100_000;

/// What is done, and what stands after each step if it succeeded.
const STEPS: &[(&str, Option<&[u8]>)] = &[
    ("create", None),
    ("save", Some(b"small")),
    ("save", Some(&[7; LARGE])),
    ("hold", None),
    ("hold-save", Some(b"held")),
    ("hold-save", Some(&[8; LARGE])),
    ("release", None),
    ("prune", None),
    ("save", Some(b"after")),
];

/// Each request of a life of a session goes wrong in each way, once or from then on. What is told of each
/// step is true, and afterwards the session goes on.
#[test]
fn every_request_may_fail_in_every_way() {
    let requests = {
        let store = Arc::new(Faulty::new());
        run(&store, None);
        store.requests().len()
    };
    let cases: Vec<_> =
        (0..requests).flat_map(|at| Fault::ALL.iter().map(move |fault| (at, *fault))).collect();
    let run = |case: &(usize, Fault)| run(&Arc::new(Faulty::new()), Some(*case));
    // They mostly wait.
    let indeterminate: usize = std::thread::scope(|scope| {
        let shares = cases.chunks(cases.len().div_ceil(16));
        let shares = shares.map(|share| scope.spawn(move || share.iter().map(run).sum::<usize>()));
        let shares: Vec<_> = shares.collect();
        shares.into_iter().map(|it| it.join().unwrap()).sum()
    });
    eprintln!("{requests} requests, {} runs, {indeterminate} indeterminate outcomes", cases.len());
    assert!(requests > 20 && indeterminate > 0);
}

/// How many outcomes were indeterminate.
fn run(store: &Arc<Faulty>, fault: Option<(usize, Fault)>) -> usize {
    let what = format!("{fault:?}");
    store.plan(fault);
    let repository = repository(store.clone());
    let session = repository.session(SessionId::new("job").unwrap());
    let (mut stands, mut indeterminate) = (vec![None::<Vec<u8>>], 0);
    let mut writer = None;
    for (step, data) in STEPS {
        let outcome = match *step {
            "create" => repository.create(&named("job")).map(drop),
            "save" => session.save(data.unwrap()).map(drop),
            "prune" => session.prune(&PruneOptions::new().keep(2)).map(drop),
            "hold" => session.writer().map(|it| writer = Some(it)),
            "hold-save" => match &mut writer {
                Some(writer) => writer.save(data.unwrap()).map(drop),
                None => continue,
            },
            _ => {
                writer = None;
                Ok(())
            }
        };
        let data = data.map(<[u8]>::to_vec);
        match outcome {
            Ok(()) if data.is_some() => stands = vec![data],
            Ok(()) => (),
            Err(Error::Indeterminate { .. }) => {
                indeterminate += 1;
                stands.extend(data.map(Some));
            }
            Err(Error::Storage { .. } | Error::NotFound { .. } | Error::Unsupported { .. }) => (),
            Err(error) => panic!("{what}: {step}: {error:?}"),
        }
    }
    drop(writer);
    assert!(fault.is_some() || stands == [Some(b"after".to_vec())]);
    store.plan(None);
    // As it stands now, and for somebody who comes later.
    let later = super::object::repository(store.clone());
    let session = later.get_or_create("job").unwrap();
    let now = match session.load() {
        Ok(checkpoint) => Some(checkpoint.data),
        Err(Error::NoCheckpoint { .. }) => None,
        Err(error) => panic!("{what}: {error:?}"),
    };
    assert!(stands.contains(&now), "{what}: {:?}", now.map(|it| it.len()));
    assert_is_linear(&session, &what);
    let before = session.load().map_or(Revision::NONE, |it| it.info.revision);
    let saved = session.save_with(b"goes on", &SaveOptions::new().follows(before));
    assert_eq!(
        saved.unwrap_or_else(|error| panic!("{what}: {error:?}")).revision.number(),
        before.number().map(|it| it + 1)
    );
    session.writer().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(later.list().unwrap().sessions.len(), 1);
    indeterminate
}

/// Each revision can be loaded, and no number is missing.
fn assert_is_linear(session: &Session, what: &str) {
    let revisions = session.history().unwrap().revisions;
    let numbers: Vec<_> = revisions.iter().filter_map(|it| it.info.revision.number()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{what}: {numbers:?}");
    for kept in revisions {
        session
            .load_revision(kept.info.revision)
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
}

#[test]
fn what_each_operation_costs() {
    let store = Arc::new(Faulty::new());
    let repository = repository(store.clone());
    let costs = |what: &str, expected: &[Request]| {
        assert_eq!(store.take_requests(), expected, "{what}");
    };
    use Request::{Delete, Get, List, Put};
    let session = repository.create(&named("job")).unwrap();
    costs("create, with the probe", &[Put, Put, Put, Put]);
    session.save(b"state").unwrap();
    costs("Session::save", &[Get, Put]);
    let mut writer = session.writer().unwrap();
    costs("writer", &[Get, Put]);
    for size in [4096, 65_536, 65_536, 65_536] {
        writer.save(&vec![1; size]).unwrap();
        costs("save of up to 64 KiB", &[Put]);
        session.load().unwrap();
        costs("load of up to 64 KiB", &[Get]);
        session.open_checkpoint().unwrap();
        costs("load of up to 64 KiB, in pieces", &[Get]);
    }
    let sent = store.take_bytes();
    writer.save(&[2; 4096]).unwrap();
    assert!(store.take_bytes() < 448 * 1024 + 8192, "{sent}");
    costs("save", &[Put]);
    writer.save(&[3; 65_537]).unwrap();
    costs("save of more", &[Put, Put]);
    session.load().unwrap();
    costs("load of more", &[Get, Get]);
    session.open_checkpoint().unwrap();
    costs("load of more, in pieces", &[Get, Get]);
    drop(writer);
    costs("giving the place back", &[Put]);
    session.status().unwrap();
    costs("status", &[Get]);
    session.history().unwrap();
    costs("history", &[Get]);
    session.prune(&PruneOptions::new().keep(1)).unwrap();
    costs("prune of revisions", &[Get, Get, Get, Get, Put, List]);
    repository.list().unwrap();
    costs("list", &[List; 16]);
    session.remove().unwrap();
    costs("remove", &[Get, Put, List, Delete]);
    repository.sweep(false).unwrap();
    costs("sweep", &[List; 34]);
    let session = repository.create(&named("job")).unwrap();
    costs("create under a name that was removed", &[Put, Get, List, Put]);
    session.save(&[3; 65_537]).unwrap();
    store.take_requests();
    repository.sweep(false).unwrap();
    costs("sweep where there are long payloads", &[&[List; 34][..], &[Get]].concat());
    let mut writer = session.writer().unwrap();
    for _ in 0..65 {
        writer.save_with(b"", &SaveOptions::new().keep(Retention::All)).unwrap();
    }
    drop(writer);
    store.take_requests();
    assert_eq!(session.history().unwrap().revisions.len(), 66);
    costs("history with a pack", &[Get, Get]);
    let another = super::object::repository(store.clone());
    another.create(&named("another")).unwrap();
    costs("the first change of a process", &[Put, Put, Put]);
    let small = repository.create(&named("small")).unwrap();
    let mut writer = small.writer().unwrap();
    store.take_requests();
    store.take_bytes();
    for _ in 0..50 {
        writer.save(&[9; 1024]).unwrap();
    }
    assert_eq!(store.take_requests().len(), 50);
    let each = store.take_bytes() / 50;
    assert!(each < 24 * 1024, "{each} bytes for a save of 1 KiB, with 15 older ones");
}

/// One put for each beat, of 20 seconds unless somebody says otherwise, and nothing else.
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
    assert!(store.take_requests().iter().all(|it| *it == Request::Put));
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
    store.silence_beats();
    let next = on("next").get("job").unwrap();
    next.save(b"goes on").unwrap();
    assert!(matches!(writer.save(b"late"), Err(Error::Conflict { .. })));
    assert_eq!(next.load().unwrap().data, b"goes on");
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let store = Arc::new(Faulty::new());
    store.ignore_conditions();
    let refused = repository(store).create(&named("job")).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused:?}");
}

#[test]
fn damage_is_seen_and_the_newest_good_revision_offered() {
    let store = Arc::new(Faulty::new());
    let repository = repository(store.clone());
    let session = repository.create(&named("job")).unwrap();
    session.save(b"good").unwrap();
    session.save(&[1; LARGE]).unwrap();
    for damage in [|data: &mut Vec<u8>| data[50_000] ^= 1, |data: &mut Vec<u8>| data.truncate(99)] {
        store.change("/c/", damage);
        match session.load() {
            Err(Error::Corrupt { newest_good, .. }) => {
                assert_eq!(newest_good, Some(Revision::from_number(1)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(session.load_revision(Revision::from_number(1)).unwrap().data, b"good");
    // Damage to the head is never taken for a session without checkpoints, or none.
    for at in [0, 9, 13, 20, 40, 200] {
        let before = store.change("/h/", |data| data[at] ^= 0x10);
        let error = session.load().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. } | Error::NewerFormat { .. }), "{error:?}");
        assert!(
            session.save(b"over it").is_err() && repository.list().unwrap().sessions.len() == 1
        );
        store.restore(before);
    }
}
