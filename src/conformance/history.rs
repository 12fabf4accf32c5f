//! Older revisions.

use super::{Subject, assert_error, create, ids};
use crate::{CreateOptions, Error, Retention, Revision, SaveOptions, SessionId};

pub(super) fn history(repository: &Subject) {
    let session = create(repository, "job");
    if !repository.capabilities.history {
        let revision = session.save(b"only").unwrap().revision;
        assert_error!(session.history(), Error::Unsupported { .. });
        assert_error!(session.load_revision(revision), Error::Unsupported { .. });
        let options = SaveOptions::new().keep(Retention::All);
        assert_error!(session.save_with(b"and all before", &options), Error::Unsupported { .. });
        return;
    }
    assert!(session.history().unwrap().revisions.is_empty());
    let payload = |n: u64| n.to_string().repeat(500).into_bytes();
    let saved: Vec<_> = (1..=12).map(|n| session.save(&payload(n)).unwrap()).collect();
    let history = session.history().unwrap();
    assert!(history.damaged.is_empty());
    let numbers = |n: u64| Revision::from_number(n);
    for (n, (kept, info)) in history.revisions.iter().zip(saved.iter().rev()).enumerate() {
        let number = 12 - n as u64;
        assert_eq!((&kept.info, info.revision), (info, numbers(number)));
        let loaded = session.load_revision(info.revision).unwrap();
        assert_eq!((loaded.data, &loaded.info), (payload(number), info));
    }
    assert_eq!(history.revisions.len(), 12);
    for none in [0, 13, u64::MAX] {
        assert_error!(session.load_revision(numbers(none)), Error::NoRevision { .. });
    }
}

pub(super) fn history_is_bounded(repository: &Subject) {
    if !repository.capabilities.history {
        return;
    }
    for (retention, least, most) in [
        (Retention::Revisions(5), 5, 40),
        (Retention::Bytes(1), 2, 40),
        (Retention::Default, 8, 60),
        (Retention::All, 300, 300),
    ] {
        let session = repository.create(&repository.options()).unwrap();
        let mut writer = session.writer().unwrap();
        for n in 1..=300_u64 {
            let data = n.to_le_bytes().repeat(1000);
            writer.save_with(&data, &SaveOptions::new().keep(retention)).unwrap();
        }
        let revisions = session.history().unwrap().revisions;
        assert!((least..=most).contains(&revisions.len()), "{retention:?}: {}", revisions.len());
        for (n, kept) in revisions.iter().enumerate() {
            let number = 300 - n as u64;
            assert_eq!(kept.info.revision.number(), Some(number));
            let loaded = session.load_revision(kept.info.revision).unwrap();
            assert!(loaded.data == number.to_le_bytes().repeat(1000), "{number}");
        }
    }
}

pub(super) fn restore(repository: &Subject) {
    let session = create(repository, "job");
    let first = session.save(b"one").unwrap();
    if !repository.capabilities.history {
        assert_error!(session.restore(first.revision), Error::Unsupported { .. });
        return;
    }
    session.save_with(b"two", &SaveOptions::new().label("step", "2")).unwrap();
    session.save(b"three").unwrap();
    assert_error!(session.restore(Revision::from_number(9)), Error::NoRevision { .. });
    let mut writer = session.writer().unwrap();
    assert_error!(session.restore(first.revision), Error::Busy { .. });
    let restored = writer.restore(Revision::from_number(2)).unwrap();
    let newest = session.load().unwrap();
    assert_eq!((&newest.info, newest.data.as_slice()), (&restored, b"two".as_slice()));
    assert_eq!(restored.revision.number(), Some(4));
    assert_eq!(restored.labels["step"], "2");
    assert_eq!(session.load_revision(Revision::from_number(3)).unwrap().data, b"three");
    assert_eq!(session.history().unwrap().revisions.len(), 4);
}

pub(super) fn fork(repository: &Subject) {
    let session = create(repository, "job");
    let named = |id: &str| CreateOptions::new().id(SessionId::new(id).unwrap());
    assert_error!(session.fork(None, &named("early")), Error::NoCheckpoint { .. });
    session.save(b"one").unwrap();
    let options = match repository.capabilities.history {
        true => SaveOptions::new().label("step", "2"),
        false => SaveOptions::new(),
    };
    let second = session.save_with(b"two", &options).unwrap();
    session.save(b"three").unwrap();
    let newest = session.fork(None, &named("newest")).unwrap();
    assert_eq!(newest.load().unwrap().data, b"three");
    assert_eq!(newest.status().unwrap().summary.format, repository.capabilities.format);
    let missing = session.fork(Some(Revision::from_number(9)), &named("early"));
    if repository.capabilities.history {
        assert_error!(missing, Error::NoRevision { .. });
        let older = session.fork(Some(second.revision), &named("older")).unwrap();
        let fork = older.load().unwrap();
        assert_eq!((fork.data.as_slice(), &fork.info.labels), (b"two".as_slice(), &second.labels));
        assert_eq!(fork.info.revision.number(), Some(1));
    } else {
        assert_error!(missing, Error::Unsupported { .. });
    }
    assert_error!(session.fork(None, &named("newest")), Error::AlreadyExists { .. });
    // They go their own ways, and a fork that failed leaves no session.
    newest.save(b"elsewhere").unwrap();
    assert_eq!(session.load().unwrap().data, b"three");
    assert!(!ids(repository).contains(&"early".to_owned()));
}
