//! Files of a journal that are gone, twice there, or without their first block.

use std::fs;

use pitstop::{Error, Format, PruneOptions, Repository, SaveOptions, Session};

use super::{journal, large};

#[test]
fn the_loss_of_all_files_is_seen() {
    let journal = journal();
    fs::remove_file(&journal.segment).unwrap();
    let lost = journal.session.load();
    assert!(matches!(lost, Err(Error::Corrupt { newest_good: None, .. })), "{lost:?}");
    assert!(matches!(journal.session.status(), Err(Error::Corrupt { .. })));
    assert!(journal.session.verify().unwrap().is_damaged());
    assert!(journal.session.history().unwrap().may_lack_newer);
    let saved = journal.session.save(b"goes on").unwrap();
    assert!(saved.revision.number() > Some(3), "{}", saved.revision);
    assert_eq!(journal.session.load().unwrap().data, b"goes on");
    assert!(!journal.session.verify().unwrap().is_damaged());
}

/// The marker is empty and never written, so that clean-up tools take it first. The segments say what they are.
#[test]
fn a_journal_without_its_marker_goes_on() {
    for go_on in [
        (|it| drop(it.save(b"goes on").unwrap())) as fn(&Session),
        |it| drop(it.writer().unwrap()),
        |it| it.convert(Format::Journal, false).unwrap(),
        |it| drop(it.prune(&PruneOptions::new().keep(2)).unwrap()),
    ] {
        let journal = journal();
        let marker = journal.segment.with_file_name("session.journal");
        fs::remove_file(&marker).unwrap();
        let session = &journal.session;
        assert_eq!(session.load().unwrap().data, journal.payloads[2]);
        assert_eq!(session.history().unwrap().revisions.len(), 3);
        assert_eq!(session.status().unwrap().summary.format, Format::Journal);
        let listing = session.repository().list().unwrap();
        assert_eq!((listing.sessions.len(), listing.problems.len()), (1, 0));
        let verified = session.verify().unwrap();
        assert!(!verified.is_damaged());
        assert!(verified.findings.iter().any(|it| it.place == marker), "{:?}", verified.findings);
        go_on(session);
        assert!(marker.exists());
        assert!(session.verify().unwrap().findings.is_empty());
    }
}

/// A plain checkpoint is what counts where there is one, whatever else lies there.
#[test]
fn segments_say_nothing_where_there_is_a_plain_checkpoint() {
    let journal = journal();
    let session = &journal.session;
    let segment = fs::read(&journal.segment).unwrap();
    session.convert(Format::Plain, true).unwrap();
    fs::write(&journal.segment, segment).unwrap();
    assert_eq!(session.status().unwrap().summary.format, Format::Plain);
    assert_eq!(session.load().unwrap().data, journal.payloads[2]);
}

/// A first checkpoint that does not fit into the first segment is no reason to be without one.
#[test]
fn a_journal_is_never_without_a_file() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    let place = session.location().unwrap();
    let data = large(1);
    session.save(&data).unwrap();
    assert!(place.join("session.journal-0").exists() && place.join("session.journal-1").exists());
    for seed in [2, 3] {
        session.save(&large(seed)).unwrap();
    }
    let lens = fs::read_dir(&place).unwrap().map(|it| it.unwrap().metadata().unwrap().len());
    let is_small = |len: &u64| (1..1 << 20).contains(len);
    assert_eq!(lens.filter(is_small).count(), 0, "given back when it is not the only one");
    assert!(session.load().unwrap().data == large(3));
}

/// Whoever copies files back and forth may leave one twice.
#[test]
fn a_file_that_is_there_twice_counts_once() {
    let journal = journal();
    for copy in ["session.journal-1", "session.journal-7"] {
        fs::copy(&journal.segment, journal.segment.with_file_name(copy)).unwrap();
    }
    for n in 4..30 {
        let numbers = |session: &Session| {
            let revisions = session.history().unwrap().revisions;
            revisions.iter().map(|it| it.info.revision.number().unwrap()).collect::<Vec<_>>()
        };
        let numbers = numbers(&journal.session);
        let expected: Vec<u64> = (1..n).rev().take(numbers.len().max(3)).collect();
        assert_eq!(numbers, expected);
        assert!(!journal.session.verify().unwrap().is_damaged());
        let saved = journal.session.save(format!("{n}").as_bytes()).unwrap();
        assert_eq!(saved.revision.number(), Some(n));
        assert_eq!(journal.session.load().unwrap().info, saved);
    }
}

/// The first block of a file is what all else in it is read by. There is a copy elsewhere.
#[test]
fn a_file_is_read_without_its_first_block() {
    let journal = journal();
    for fill in [0, 0xff] {
        let mut tampered = journal.bytes.clone();
        tampered[..4096].fill(fill);
        fs::write(&journal.segment, &tampered).unwrap();
        assert_eq!(journal.session.load().unwrap().data, journal.payloads[2]);
        assert_eq!(journal.session.history().unwrap().revisions.len(), 3);
        let found = journal.session.verify().unwrap();
        assert!(!found.is_damaged() && found.findings.len() == 1, "{found:?}");
        assert!(journal.session.repair().unwrap().now.newest_good().is_some());
        journal.judge_next_save(&tampered, "without its first block");
    }
    // Also one that came in pieces.
    let data = large(1);
    journal.session.save_from(data.as_slice(), &SaveOptions::new()).unwrap();
    let streamed = journal.segment.with_file_name("session.journal-1");
    let bytes = fs::read(&streamed).unwrap();
    fs::write(&streamed, [&[0; 4096], &bytes[4096..]].concat()).unwrap();
    assert!(journal.session.load().unwrap().data == data);
}
