//! Objects that are damaged, and a store that goes back.

use std::sync::Arc;

use pitstop::{Error, Format, PruneOptions, Revision, SaveOptions};

use super::faulty::Faulty;
use super::{LARGE, named, repository};

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

/// A head that cannot be read is named, seen, and no end: a repair moves it aside, and a removal too. Nothing else is
/// hindered by it, and no byte of it is lost.
#[test]
fn a_damaged_head_is_moved_aside_and_its_name_goes_on() {
    for is_repaired in [true, false] {
        let store = Arc::new(Faulty::new());
        let all = repository(store.clone());
        all.create(&named("other")).unwrap().save(b"other").unwrap();
        let session = all.create(&named("job")).unwrap();
        session.save(b"lost").unwrap();
        session.save(&[7; LARGE]).unwrap();
        let records = || store.keys().iter().filter(|it| it.contains("/c/")).count();
        store.change("/job", |data| data[60] ^= 1);
        let damaged = store.bytes("/job");
        let verified = session.verify().unwrap();
        assert!(verified.is_damaged() && verified.format == Format::Object);
        let found = all.verify().unwrap();
        assert!(found.is_damaged() && found.sessions.len() == 2, "{found:?}");
        assert!(matches!(session.save(b"over it"), Err(Error::Corrupt { .. })));
        let exists = all.create(&named("job"));
        assert!(matches!(exists, Err(Error::Corrupt { .. })), "{exists:?}");
        all.sweep(false).unwrap();
        assert_eq!(all.prune(&PruneOptions::new().keep(5)).unwrap().problems.len(), 0);
        match is_repaired {
            true => {
                let repair = session.repair().unwrap();
                let [aside] = &repair.moved_aside[..] else { panic!("{repair:?}") };
                assert!(aside.to_str().unwrap().contains("/a/job/"), "{aside:?}");
                assert!(!repair.now.is_damaged());
            }
            false => assert!(session.remove().unwrap().remains.is_empty()),
        }
        assert_eq!(store.bytes("/a/job/"), damaged);
        assert!(matches!(session.load(), Err(Error::NotFound { .. })));
        assert_eq!(all.list().unwrap().sessions.len(), 1);
        assert!(!all.verify().unwrap().is_damaged());
        let anew = all.create(&named("job")).unwrap();
        anew.save(b"anew").unwrap();
        anew.trash().unwrap();
        all.sweep(false).unwrap();
        assert_eq!((store.bytes("/a/job/"), records()), (damaged, 1));
        assert_eq!(all.get("other").unwrap().load().unwrap().data, b"other");
    }
}

/// What names the last session is damaged: that is seen, stops nothing else, and is repaired.
#[test]
fn a_damaged_last_session_is_seen_and_stops_nothing() {
    for is_repaired in [true, false] {
        let store = Arc::new(Faulty::new());
        let all = repository(store.clone());
        for name in ["one", "two"] {
            all.create(&named(name)).unwrap().save(b"").unwrap();
        }
        all.get("one").unwrap().make_last().unwrap();
        store.change("prefix/last", |data| data.truncate(9));
        assert!(matches!(all.last(), Err(Error::Corrupt { .. })));
        let found = all.verify().unwrap();
        assert!(found.is_damaged() && found.sessions.iter().all(|it| !it.is_damaged()));
        let pruned = all.prune(&PruneOptions::new().keep(1)).unwrap();
        assert_eq!(pruned.gone.len(), 1, "{pruned:?}");
        match is_repaired {
            true => {
                all.repair_last().unwrap();
                assert!(all.last().unwrap().is_none());
            }
            false => {
                let two = all.list().unwrap().sessions.remove(0).id;
                all.get(&two).unwrap().make_last().unwrap();
                assert_eq!(*all.last().unwrap().unwrap().id(), two);
            }
        }
        assert_eq!(store.bytes("/a/!last/").len(), 9);
        assert!(!all.verify().unwrap().is_damaged());
    }
}

/// A store that holds an older head than it acknowledged is told as such, and never saved over.
#[test]
fn a_store_that_went_back_is_told_and_not_saved_over() {
    for saves in [1, 3, 100] {
        let store = Arc::new(Faulty::new());
        let session = repository(store.clone()).create(&named("job")).unwrap();
        let before = session.save(b"before").unwrap();
        let mut writer = session.writer().unwrap();
        let old = store.change("/job", |_| ());
        for n in 0..saves {
            writer.save(format!("acknowledged {n}").as_bytes()).unwrap();
        }
        store.restore(old);
        let error = writer.save(b"over it").unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("went back"), "{error}");
        assert_eq!(session.load().unwrap().data, b"before");
        let follows = SaveOptions::new().follows(before.revision);
        assert!(writer.save_with(b"over it", &follows).is_err());
        assert_eq!(session.load().unwrap().data, b"before");
    }
}
