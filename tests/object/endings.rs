//! Sessions that go, and come back: cut short at each request, one after the other; and by processes that fall
//! asleep at each request, while others go on.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pitstop::{Error, ObjectBackend, Repository, Result, Revision, SessionId};

use super::faulty::{Fault, Faulty};
use super::{LARGE, named};

const CONTENT: &[u8] = &[7; LARGE];

pub(super) fn repository(store: &Arc<Faulty>) -> Repository {
    let backend =
        ObjectBackend::with_store("test://store", store.clone(), "some/prefix", Duration::ZERO);
    Repository::with_backend(backend.unwrap())
}

pub(super) fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

pub(super) fn do_it(repository: &Repository, what: &str) -> Result<()> {
    let job = repository.session(id("job"));
    let first = || Ok::<_, Error>(repository.trash()?.into_iter().next());
    match what {
        "trash" => job.trash().map(drop),
        "remove" => job.remove().map(drop),
        "restore" | "elsewhere" => match first()? {
            Some(it) if what == "restore" => repository.restore_from_trash(&it, &it.id).map(drop),
            Some(it) => repository.restore_from_trash(&it, &id("elsewhere")).map(drop),
            None => Ok(()),
        },
        "empty" => {
            let trash = repository.trash()?;
            trash.iter().try_for_each(|it| repository.delete_from_trash(it).map(drop))
        }
        "sweep" => {
            let remains = repository.sweep(false)?.remains;
            remains.into_iter().next().map_or(Ok(()), Err)
        }
        "save" => repository.get_or_create("job")?.save(CONTENT).map(drop),
        "anew" => {
            job.trash()?;
            repository.create(&named("job"))?.save(CONTENT).map(drop)
        }
        _ => panic!("{what}"),
    }
}

pub(super) const STEPS: [&str; 7] =
    ["trash", "remove", "restore", "elsewhere", "empty", "save", "sweep"];

/// What there is at the beginning, and how many sessions with the content that is.
pub(super) const BEGINNINGS: [(&[&str], usize); 3] =
    [(&["save", "save"], 1), (&["save", "trash"], 1), (&["save", "anew"], 2)];

/// Whatever was done: what is there can be loaded, what is in the trash comes back whole, and when all is removed, nothing
/// is left. Returns how many there were.
pub(super) fn assert_all_is_well(store: &Arc<Faulty>, what: &str) -> usize {
    let later = repository(store);
    let mut whole = 0;
    let mut check = |name: &SessionId| match later.session(name.clone()).load() {
        Ok(checkpoint) => {
            assert!(checkpoint.data == CONTENT, "{what}: {name}");
            whole += 1;
        }
        Err(Error::NoCheckpoint { .. }) => (),
        Err(error) => panic!("{what}: {name}: {error:?}"),
    };
    let listing = later.list().unwrap();
    assert!(listing.problems.is_empty(), "{what}");
    listing.sessions.iter().for_each(|it| check(&it.id));
    for (n, trashed) in later.trash().unwrap().iter().enumerate() {
        let name = id(&format!("back-{n}"));
        let back = later.restore_from_trash(trashed, &name);
        back.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        check(&name);
    }
    assert!(later.trash().unwrap().is_empty(), "{what}");
    for summary in later.list().unwrap().sessions {
        assert!(later.get(&summary.id).unwrap().remove().unwrap().remains.is_empty(), "{what}");
    }
    let would = later.sweep(true).unwrap().leftovers;
    let swept = later.sweep(false).unwrap();
    assert!(swept.remains.is_empty() && swept.leftovers.len() == would.len(), "{what}");
    assert!(later.sweep(true).unwrap().leftovers.is_empty(), "{what}");
    // Tombstones, what is known of the store, and what holds the keys of copies that are out of the trash.
    let (in_trash, left): (Vec<_>, Vec<_>) = store
        .keys()
        .into_iter()
        .filter(|it| !it.contains("/h/") && !it.contains("/p/"))
        .partition(|it| it.contains("/t/"));
    assert!(in_trash.iter().all(|it| store.bytes(it).len() < 200), "{what}");
    assert_eq!(left, ["some/prefix/pitstop"], "{what}");
    assert!(later.trash().unwrap().is_empty() && later.list().unwrap().sessions.is_empty());
    whole
}

#[test]
fn what_was_cut_short_at_any_request_loses_nothing_and_leaves_nothing() {
    let runs: usize = thread::scope(|scope| {
        let each =
            |it: (&'static [&'static str], usize)| scope.spawn(move || cut_short(it.0, it.1));
        BEGINNINGS.map(each).into_iter().map(|it| it.join().unwrap()).sum()
    });
    eprintln!("{runs} runs");
    assert!(runs > 2000);
}

/// Each step after each, each of the two cut short. Returns how many runs that took.
fn cut_short(beginning: &[&str], count: usize) -> usize {
    let (mut runs, mut pairs) = (0, 0);
    for first in STEPS {
        for second in STEPS {
            pairs += 1;
            let deletes = [first, second].iter().any(|it| ["remove", "empty", "save"].contains(it));
            for at in 0.. {
                let mut is_over = true;
                for then_at in 0.. {
                    let store = Arc::new(Faulty::new());
                    let cut = |what: &str, at: usize| {
                        store.plan(Some((at, Fault::Gone)));
                        let outcome = do_it(&repository(&store), what);
                        let was_cut = store.was_reached(at);
                        store.plan(None);
                        (outcome, was_cut)
                    };
                    beginning.iter().for_each(|it| do_it(&repository(&store), it).unwrap());
                    let was_cut = cut(first, at).1;
                    is_over &= !was_cut;
                    // Each with each is too many: each with none, and with some, others for each pair.
                    if was_cut && (at + then_at + pairs) % 12 != 0 {
                        continue;
                    }
                    let (_, goes_on) = cut(second, then_at);
                    let what = format!("{beginning:?}, {first} to {at}, {second} to {then_at}");
                    let whole = assert_all_is_well(&store, &what);
                    assert!(deletes || whole == count, "{what}: {whole}");
                    runs += 1;
                    if !goes_on {
                        break;
                    }
                }
                if is_over {
                    break;
                }
            }
        }
    }
    runs
}

/// One falls asleep before each of its requests, and wakes up when another has done all this.
#[test]
fn who_slept_while_others_went_on_loses_nothing_and_leaves_nothing() {
    let meanwhile: [&[&str]; 10] = [
        &["sweep"],
        &["save", "sweep"],
        &["save", "save", "sweep"],
        &["trash", "sweep"],
        &["anew", "sweep"],
        &["trash", "restore", "sweep"],
        &["trash", "elsewhere", "sweep"],
        &["remove", "sweep"],
        &["remove", "save", "sweep"],
        &["empty", "sweep"],
    ];
    let mut runs = 0;
    for (beginning, count) in BEGINNINGS {
        for sleeper in STEPS {
            for others in meanwhile {
                for at in 0.. {
                    let store = Arc::new(Faulty::new());
                    beginning.iter().for_each(|it| do_it(&repository(&store), it).unwrap());
                    let slow = repository(&store);
                    let meanwhile = || {
                        for what in others {
                            // Some of it cannot be, as things are.
                            let _ = do_it(&repository(&store), what);
                        }
                    };
                    let (outcome, has_slept) =
                        store.while_asleep(at, || do_it(&slow, sleeper), meanwhile);
                    let what = format!(
                        "{beginning:?}, {sleeper} slept at {at}, meanwhile {others:?}: {outcome:?}"
                    );
                    let whole = assert_all_is_well(&store, &what);
                    let all = || others.iter().chain([&sleeper]);
                    let deletes = all().any(|it| ["remove", "empty", "save", "anew"].contains(it));
                    assert!(deletes || whole == count, "{what}: {whole}");
                    runs += 1;
                    if !has_slept {
                        break;
                    }
                }
            }
        }
    }
    eprintln!("{runs} runs");
    assert!(runs > 500);
}

/// What a killed save put before the head is swept when a later one has counted, and not before.
#[test]
fn what_a_killed_save_left_is_swept() {
    let store = Arc::new(Faulty::new());
    let all = repository(&store);
    do_it(&all, "save").unwrap();
    // Two looks at the head, one at what is known of the store, the record, and no more.
    store.plan(Some((2 + 1 + 1, Fault::Gone)));
    assert!(do_it(&repository(&store), "save").is_err());
    store.plan(None);
    let records = || store.keys().iter().filter(|it| it.contains("/c/")).count();
    assert_eq!(records(), 2);
    // It may be about to count.
    assert!(all.sweep(false).unwrap().leftovers.is_empty());
    do_it(&all, "save").unwrap();
    let found = all.verify().unwrap();
    assert!(!found.is_damaged() && found.findings.len() == 1, "{found:?}");
    let swept = all.sweep(false).unwrap();
    assert_eq!((swept.leftovers[0].usage.bytes, swept.remains.len()), (LARGE as u64, 0));
    assert_eq!(records(), 2);
    let job = all.get("job").unwrap();
    for number in 1..=2 {
        assert_eq!(job.load_revision(Revision::from_number(number)).unwrap().data, CONTENT);
    }
}

/// A listing knows a tombstone by its length.
#[test]
fn a_session_of_a_long_name_is_gone_from_the_listing() {
    let all = repository(&Arc::new(Faulty::new()));
    let name = "ü".repeat(100);
    for _ in 0..2 {
        let session = all.create(&named(&name)).unwrap();
        session.save(CONTENT).unwrap();
        session.trash().unwrap();
        assert!(all.list().unwrap().sessions.is_empty());
    }
    assert_eq!(all.trash().unwrap().len(), 2);
    all.create(&named(&name)).unwrap().remove().unwrap();
    assert!(all.list().unwrap().sessions.is_empty());
}
