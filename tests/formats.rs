//! A journal of format version 1 is read for ever. It is in `fixtures/journal-1`, and was made by
//! `PITSTOP_MAKE_FIXTURE=1 cargo test --test tests formats`.

use std::fs;
use std::path::{Path, PathBuf};

use pitstop::{Repository, Retention, SaveOptions};

const REVISIONS: u64 = 12;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-1/job.session")
}

/// A state that grows and changes a little, so that most of it is stored as deltas.
fn payload(number: u64) -> Vec<u8> {
    let lines = (0..200 + 20 * number).map(|line| format!("line {line}, {}\n", line * line));
    let mut text: String = lines.collect();
    text.insert_str(100, &format!("revision {number}\n"));
    text.into_bytes()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "session.writer" {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

#[test]
fn a_journal_of_version_1_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("sessions/job.session");
    if std::env::var_os("PITSTOP_MAKE_FIXTURE").is_some() {
        make(&place);
        copy(&place, &fixture());
    } else {
        copy(&fixture(), &place);
    }
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get("job").unwrap();
    let history = session.history().unwrap();
    assert_eq!((history.revisions.len() as u64, history.damaged.len()), (REVISIONS, 0));
    let (full, deltas): (Vec<_>, Vec<_>) =
        history.revisions.iter().partition(|kept| kept.stored > kept.info.size);
    assert!(!full.is_empty() && !deltas.is_empty());
    for (number, kept) in (1..=REVISIONS).rev().zip(&history.revisions) {
        let loaded = session.load_revision(kept.info.revision).unwrap();
        assert_eq!(kept.info.revision.number(), Some(number));
        assert!(loaded.data == payload(number), "revision {number}");
        assert_eq!(loaded.info.labels["step"], number.to_string());
    }
    assert!(session.load().unwrap().data == payload(REVISIONS));
    let next = session.save(b"it goes on").unwrap();
    assert_eq!(next.revision.number(), Some(REVISIONS + 1));
}

fn make(place: &Path) {
    let repository = Repository::open(place.parent().unwrap()).unwrap();
    let mut writer = repository.get_or_create("job").unwrap().writer().unwrap();
    for number in 1..=REVISIONS {
        let options = SaveOptions::new().label("step", number.to_string()).keep(Retention::All);
        writer.save_with(&payload(number), &options).unwrap();
    }
}
