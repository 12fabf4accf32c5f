//! Saving and loading whole checkpoints.

use super::{Subject, assert_error, create, ids};
use crate::{Digest, Error, Revision, SaveOptions};

pub(super) fn every_payload_comes_back(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    for size in [0, 1, 511, 512, 513, 4095, 4096, 4097, 65_537, 1 << 20] {
        let data: Vec<u8> = (0..size).map(|n| (n * 7 % 256) as u8).collect();
        writer.save(&data).unwrap();
        assert!(session.load().unwrap().data == data, "{size} bytes");
    }
}

pub(super) fn newest_is_loaded(repository: &Subject) {
    let session = create(repository, "job");
    for n in 0..10_u8 {
        session.save(&[n; 100]).unwrap();
        assert_eq!(repository.get("job").unwrap().load().unwrap().data, [n; 100]);
    }
    assert_eq!(ids(repository), ["job"]);
}

pub(super) fn save_and_load_agree(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    let saved = writer.save(b"some state").unwrap();
    let loaded = session.load().unwrap();
    assert_eq!(loaded.info, saved);
    assert_eq!((saved.size, saved.digest), (10, Digest::of(b"some state")));
    let summary = session.status().unwrap().summary;
    assert_eq!((summary.saved, summary.size), (Some(saved.saved), Some(10)));
    let next = writer.save(b"some state").unwrap();
    assert_ne!(next.revision, saved.revision, "the same bytes saved again are another revision");
}

pub(super) fn save_follows(repository: &Subject) {
    let session = create(repository, "job");
    let after = |revision| SaveOptions::new().follows(revision);
    let first = session.save_with(b"1", &after(Revision::NONE)).unwrap();
    let second = session.save_with(b"2", &after(first.revision)).unwrap();
    match session.save_with(b"other 2", &after(first.revision)) {
        Err(Error::Conflict { expected, found, .. }) => {
            assert_eq!((expected, found), (first.revision, second.revision));
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
    assert_error!(session.save_with(b"1", &after(Revision::NONE)), Error::Conflict { .. });
    assert_eq!(session.load().unwrap().data, b"2");
    let mut writer = session.writer().unwrap();
    let third = writer.save_with(b"3", &after(second.revision)).unwrap();
    writer.save_with(b"4", &after(third.revision)).unwrap();
    assert_error!(writer.save_with(b"4", &after(third.revision)), Error::Conflict { .. });
    writer.save(b"5").unwrap();
    assert_eq!(session.load().unwrap().data, b"5");
}

pub(super) fn labels(repository: &Subject) {
    let session = create(repository, "job");
    session.save(b"before").unwrap();
    let options = SaveOptions::new().label("step", "7").label("phase", "copy");
    let outcome = session.save_with(b"after", &options);
    if repository.capabilities.history {
        let info = outcome.unwrap();
        assert_eq!(info.labels.get("step").map(String::as_str), Some("7"));
        assert_eq!(session.load().unwrap().info.labels, info.labels);
        let long = |size: usize| SaveOptions::new().label("long", "x".repeat(size - 8));
        session.save_with(b"long", &long(3000)).unwrap();
        let outcome = session.save_with(b"too long", &long(3001));
        assert_error!(outcome, Error::LabelsTooLong { size: 3001, limit: 3000 });
        assert_eq!(session.load().unwrap().data, b"long");
    } else {
        assert_error!(outcome, Error::Unsupported { .. });
        assert_eq!(session.load().unwrap().data, b"before");
    }
}
