//! Sessions in an object store, where requests fail, get lost and come twice.

mod damage;
mod endings;
mod faulty;
mod late;
mod leases;
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
use pitstop::{
    CreateOptions, Error, ObjectBackend, PruneOptions, Repository, Retention, Revision,
    SaveOptions, Session, SessionId,
};

const PATIENCE: Duration = Duration::from_millis(300);

fn repository(store: Arc<dyn ObjectStore>) -> Repository {
    Repository::with_backend(backend(store))
}

fn backend(store: Arc<dyn ObjectStore>) -> ObjectBackend {
    backend_with(store, PATIENCE)
}

fn backend_with(store: Arc<dyn ObjectStore>, patience: Duration) -> ObjectBackend {
    ObjectBackend::with_store("test://store", store, "some/prefix", patience).unwrap()
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
    costs("create, with the probe", &[Get, Put, Put, Put, Put, Get, Put]);
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
    costs("create under a name that was removed", &[Get, List, Put]);
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
    costs("the first change of a process", &[Get, Get, Put]);
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

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let store = Arc::new(Faulty::new());
    store.ignore_conditions();
    let refused = repository(store).create(&named("job")).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused:?}");
}
