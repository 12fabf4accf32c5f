//! Removing sessions, and the trash.

use super::{Subject, assert_error, create, ids};
use crate::{Error, SessionId};

pub(super) fn removed_is_gone(repository: &Subject) {
    let session = create(repository, "job");
    create(repository, "other").save(b"other").unwrap();
    session.save(b"state").unwrap();
    session.make_last().unwrap();
    let removal = session.remove().unwrap();
    assert!(removal.remains.is_empty(), "{removal:?}");
    assert_eq!(ids(repository), ["other"]);
    assert!(repository.last().unwrap().is_none());
    assert_error!(session.load(), Error::NotFound { .. });
    assert_error!(session.save(b"late"), Error::NotFound { .. });
    assert_error!(session.status(), Error::NotFound { .. });
    assert_error!(session.writer(), Error::NotFound { .. });
    assert_error!(session.unlock(), Error::NotFound { .. });
    assert_error!(session.make_last(), Error::NotFound { .. });
    assert_error!(session.remove(), Error::NotFound { .. });
    let anew = create(repository, "job");
    assert_error!(anew.load(), Error::NoCheckpoint { .. });
    assert_eq!(repository.get("other").unwrap().load().unwrap().data, b"other");
}

pub(super) fn busy_is_not_removed(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    writer.save(b"state").unwrap();
    assert_error!(session.remove(), Error::Busy { .. });
    writer.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

pub(super) fn would_remove(repository: &Subject) {
    let session = create(repository, "job");
    session.save(&[7; 10_000]).unwrap();
    let usage = session.would_remove().unwrap();
    assert!(usage.files >= 1 && usage.bytes >= 10_000, "{usage:?}");
    assert_eq!(session.load().unwrap().data, [7; 10_000]);
    let writer = session.writer().unwrap();
    assert_error!(session.would_remove(), Error::Busy { .. });
    assert_error!(session.trash(), Error::Busy { .. });
    drop(writer);
    session.remove().unwrap();
    assert_error!(session.would_remove(), Error::NotFound { .. });
}

pub(super) fn trash_gives_back(repository: &Subject) {
    let session = create(repository, "job");
    assert!(repository.trash().unwrap().is_empty());
    let saved = session.save(b"state").unwrap();
    session.make_last().unwrap();
    let usage = session.would_remove().unwrap();
    let trashed = session.trash().unwrap();
    assert_eq!((trashed.id.as_str(), trashed.usage), ("job", usage));
    assert_eq!(trashed.summary.as_ref().unwrap().saved, Some(saved.saved));
    assert!(ids(repository).is_empty() && repository.last().unwrap().is_none());
    assert_error!(session.load(), Error::NotFound { .. });
    assert_error!(session.trash(), Error::NotFound { .. });
    let [listed] = &repository.trash().unwrap()[..] else { panic!("one is in the trash") };
    assert_eq!((&listed.id, listed.removed), (&trashed.id, trashed.removed));
    assert_eq!(listed.summary.as_ref().unwrap().size, Some(5));
    let back = repository.restore_from_trash(listed, &listed.id).unwrap();
    assert_eq!(back.load().unwrap().info, saved);
    assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
    assert!(repository.trash().unwrap().is_empty());
    assert_error!(
        repository.restore_from_trash(listed, &SessionId::new("other").unwrap()),
        Error::NotFound { .. }
    );
    back.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

pub(super) fn trash_holds_many_of_one_name(repository: &Subject) {
    for n in 0..5_u8 {
        let session = create(repository, "job");
        session.save(&[n]).unwrap();
        session.trash().unwrap();
    }
    let anew = create(repository, "job");
    anew.save(b"anew").unwrap();
    let trash = repository.trash().unwrap();
    assert_eq!(trash.len(), 5);
    for (n, trashed) in trash.iter().enumerate() {
        assert_error!(
            repository.restore_from_trash(trashed, &trashed.id),
            Error::AlreadyExists { .. }
        );
        let name = SessionId::new(format!("back-{n}")).unwrap();
        let back = repository.restore_from_trash(trashed, &name).unwrap();
        assert_eq!(back.load().unwrap().data, [4 - n as u8], "the newest is the first");
    }
    assert!(repository.trash().unwrap().is_empty());
    assert_eq!(anew.load().unwrap().data, b"anew");
}

pub(super) fn trash_is_emptied(repository: &Subject) {
    let other = create(repository, "other");
    other.save(b"other").unwrap();
    for id in ["one", "two"] {
        create(repository, id).trash().unwrap();
    }
    let trash = repository.trash().unwrap();
    let gone = trash.iter().find(|it| it.id.as_str() == "one").unwrap();
    assert!(repository.delete_from_trash(gone).unwrap().remains.is_empty());
    assert_error!(repository.delete_from_trash(gone), Error::NotFound { .. });
    assert_error!(repository.restore_from_trash(gone, &gone.id), Error::NotFound { .. });
    let [left] = &repository.trash().unwrap()[..] else { panic!("one is left") };
    assert_eq!(left.id.as_str(), "two");
    assert!(repository.sweep(false).unwrap().leftovers.is_empty());
    assert_eq!(repository.trash().unwrap().len(), 1, "the trash is no leftover");
    assert_eq!(other.load().unwrap().data, b"other");
}
