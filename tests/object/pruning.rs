//! Revisions that are given up, also of packs, and while somebody sleeps.

use std::sync::Arc;

use pitstop::{Error, PruneOptions, Retention, Revision, SaveOptions, Session};

use super::{Faulty, LARGE, assert_is_linear, named, repository};

#[test]
fn revisions_are_given_up_in_packs_too() {
    let store = Arc::new(Faulty::new());
    let session = repository(store).create(&named("job")).unwrap();
    let data = |n: u64| n.to_le_bytes().repeat(1500 + n as usize);
    let mut writer = session.writer().unwrap();
    for n in 1..=300 {
        writer.save_with(&data(n), &SaveOptions::new().keep(Retention::All)).unwrap();
    }
    drop(writer);
    for keep in [250, 111, 40, 1] {
        let options = PruneOptions::new().keep(keep);
        let before = session.would_remove().unwrap();
        let would = session.prune(&options.clone().dry_run()).unwrap();
        assert_eq!(session.would_remove().unwrap(), before, "a dry run changes nothing");
        let pruned = session.prune(&options).unwrap();
        assert!(pruned.remains.is_empty());
        let given_back = before.bytes - session.would_remove().unwrap().bytes;
        assert_eq!(pruned.usage.bytes, given_back, "{keep}");
        assert!(given_back > 12_000 * pruned.gone.len() as u64, "{keep}: {given_back}");
        assert!(would.usage.bytes <= given_back && would.gone == pruned.gone, "{keep}");
        let history = session.history().unwrap();
        assert!(history.damaged.is_empty());
        let numbers: Vec<_> =
            history.revisions.iter().filter_map(|it| it.info.revision.number()).collect();
        assert_eq!(numbers, (301 - keep as u64..=300).rev().collect::<Vec<_>>());
        for n in numbers {
            let loaded = session.load_revision(Revision::from_number(n)).unwrap();
            assert!(loaded.data == data(n), "{n}");
        }
        let gone = Revision::from_number(300 - keep as u64);
        assert!(matches!(session.load_revision(gone), Err(Error::NoRevision { .. })));
    }
}

fn prune(session: &Session) {
    session.prune(&PruneOptions::new().keep(1)).unwrap();
}

/// Nothing is left but what the head names, and all of that can be loaded.
fn assert_is_whole(store: &Arc<Faulty>, what: &str) -> Vec<u8> {
    let later = repository(store.clone());
    let session = later.get("job").unwrap();
    assert_is_linear(&session, what);
    let newest = session.load().unwrap();
    // What was left by who slept is swept at the latest when a later save has counted.
    session.save(b"one more").unwrap();
    later.sweep(false).unwrap();
    let records = store.keys().iter().filter(|it| it.contains("/c/")).count();
    let history = session.history().unwrap().revisions;
    let named = history.iter().filter(|it| it.info.size == LARGE as u64).count();
    assert_eq!(records, named, "{what}");
    newest.data
}

/// A save falls asleep before each of its requests, and the revision that it is to follow is all that is left when it
/// wakes up: it counts. So does what others saved before a prune woke up that was asleep.
#[test]
fn who_sleeps_while_revisions_are_pruned_or_prunes_asleep_loses_nothing() {
    let large = |n: u8| vec![n; LARGE];
    type Meanwhile = fn(&Session);
    let meanwhile: [Meanwhile; 3] = [
        prune,
        |session| {
            session.save(&[8; LARGE]).unwrap();
            prune(session);
        },
        |session| {
            prune(session);
            session.save(&[8; LARGE]).unwrap();
            session.save(&[9; LARGE]).unwrap();
        },
    ];
    let mut runs = 0;
    for sleeps_in_save in [true, false] {
        for (number, others) in meanwhile.iter().enumerate() {
            for at in 0.. {
                let store = Arc::new(Faulty::new());
                let session = repository(store.clone()).create(&named("job")).unwrap();
                (1..=3).for_each(|n| drop(session.save(&large(n)).unwrap()));
                let slow = repository(store.clone()).get("job").unwrap();
                let sleeper = || match sleeps_in_save {
                    true => drop(slow.save(&large(7)).unwrap()),
                    false => prune(&slow),
                };
                let (_, has_slept) = store.while_asleep(at, sleeper, || others(&session));
                let what = format!("save: {sleeps_in_save}, {number} at {at}");
                let expected = match (sleeps_in_save, number) {
                    // Who slept was the last, unless only its answer was to come.
                    (true, _) => 7,
                    (false, 0) => 3,
                    (false, 1) => 8,
                    (false, _) => 9,
                };
                let newest = assert_is_whole(&store, &what);
                let is_last = !has_slept || newest == large(expected);
                assert!(is_last, "{what}: {}", newest[0]);
                runs += 1;
                if !has_slept {
                    break;
                }
            }
        }
    }
    assert!(runs > 20, "{runs}");
}
