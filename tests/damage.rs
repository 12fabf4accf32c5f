//! Damage to a journal is seen: never wrong bytes, never a panic, and the newest good revision is
//! offered.

mod files;

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pitstop::{CheckpointReader, Error, Repository, Retention, Revision, SaveOptions, Session};

const SECTOR: usize = 512;

/// A journal of three revisions in its first segment: a small one, one of several blocks and a delta.
struct Journal {
    _scratch: tempfile::TempDir,
    session: Session,
    segment: PathBuf,
    bytes: Vec<u8>,
    payloads: [Vec<u8>; 3],
}

fn journal() -> Journal {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    let noise: Vec<u8> = (0..9000_u32).map(|n| ((n * n * 31) >> 7) as u8).collect();
    let mut changed = noise.clone();
    changed[5000] ^= 1;
    let payloads = [b"one".to_vec(), noise, changed];
    let mut writer = session.writer().unwrap();
    for payload in &payloads {
        writer.save(payload).unwrap();
    }
    drop(writer);
    let history = session.history().unwrap().revisions;
    assert!(history[0].stored < history[1].stored, "the last one is a delta: {history:?}");
    let segment = session.location().unwrap().join("session.journal-0");
    let bytes = fs::read(&segment).unwrap();
    Journal { _scratch: scratch, session, segment, bytes, payloads }
}

impl Journal {
    /// Judges what is loaded from a segment that was tampered with: a payload that was saved, with its
    /// own number; and if it is not the newest, an error that says so.
    fn judge(&self, tampered: &[u8], what: &str) {
        fs::write(&self.segment, tampered).unwrap();
        match self.session.load() {
            Ok(newest) => assert!(newest.data == self.payloads[2], "{what}"),
            Err(Error::Corrupt { newest_good: Some(good), .. }) => {
                let number = good.number().unwrap();
                assert!((1..=3).contains(&number), "{what}");
                let loaded = self.session.load_revision(good).unwrap();
                assert!(loaded.data == self.payloads[number as usize - 1], "{what}");
            }
            Err(Error::Corrupt { newest_good: None, .. }) => (),
            other => panic!("{what}: {other:?}"),
        }
        for number in 1..=3 {
            match self.session.load_revision(Revision::from_number(number)) {
                Ok(it) => assert!(it.data == self.payloads[number as usize - 1], "{what}"),
                Err(Error::Corrupt { .. } | Error::NoRevision { .. }) => (),
                other => panic!("{what}: {other:?}"),
            }
            match self.session.open_revision(Revision::from_number(number)) {
                Ok(it) => assert_eq!(
                    read_on(it, &self.payloads[number as usize - 1]).0,
                    self.payloads[number as usize - 1].len(),
                    "{what}"
                ),
                Err(Error::Corrupt { .. } | Error::NoRevision { .. }) => (),
                other => panic!("{what}: {other:?}"),
            }
            let mut memory = Vec::new();
            match self.session.load_into(Some(Revision::from_number(number)), &mut memory) {
                Ok(_) => assert!(memory == self.payloads[number as usize - 1], "{what}"),
                Err(Error::Corrupt { .. } | Error::NoRevision { .. }) => (),
                other => panic!("{what}: {other:?}"),
            }
        }
        let _ = self.session.history().unwrap();
    }

    /// After whatever damage, the next save works, and its number was not given before.
    fn judge_next_save(&self, tampered: &[u8], what: &str) {
        fs::write(&self.segment, tampered).unwrap();
        let saved = self.session.save(b"after the damage").unwrap();
        assert!(saved.revision.number() > Some(3), "{what}: {}", saved.revision);
        assert_eq!(self.session.load().unwrap().data, b"after the damage", "{what}");
        clear(self.segment.parent().unwrap());
    }

    /// Where what is in use ends: the end of the mark that its writer left.
    fn used(&self) -> usize {
        self.bytes.iter().rposition(|&byte| byte != 0).unwrap().next_multiple_of(4096)
    }
}

/// Puts the session back to one segment.
fn clear(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !["session.journal", "session.journal-0", "session.writer"].contains(&name.as_str()) {
            fs::remove_file(directory.join(name)).unwrap();
        }
    }
}

#[test]
fn no_bit_flips_unseen() {
    let journal = journal();
    // Every bit of what may be a header, and of the rest one in every few bytes.
    let header = |byte: usize| byte % 4096 < 104 || (2048..2096).contains(&byte);
    for byte in (0..journal.used()).filter(|&byte| header(byte) || byte % 13 == 0) {
        for bit in if header(byte) { 0..8 } else { byte % 8..byte % 8 + 1 } {
            let mut tampered = journal.bytes.clone();
            tampered[byte] ^= 1 << bit;
            journal.judge(&tampered, &format!("bit {bit} of byte {byte}"));
        }
    }
}

#[test]
fn no_sector_is_lost_unseen() {
    let journal = journal();
    for size in [SECTOR, 4096] {
        for at in (0..journal.used()).step_by(size) {
            for fill in [0, 0xff] {
                let mut tampered = journal.bytes.clone();
                tampered[at..at + size].fill(fill);
                let what = format!("{size} bytes at {at} filled with {fill}");
                journal.judge(&tampered, &what);
                journal.judge_next_save(&tampered, &what);
            }
        }
    }
}

#[test]
fn no_cut_goes_unseen() {
    let journal = journal();
    let used = journal.used();
    for len in (0..used).step_by(97).chain([0, 1, 4095, 4096, 4097, used - 4096, used - 1]) {
        let what = format!("cut to {len}");
        let cut = &journal.bytes[..len];
        journal.judge(cut, &what);
        let lost = journal.session.load();
        assert!(matches!(lost, Err(Error::Corrupt { .. })), "{what}: {lost:?}");
        assert!(journal.session.verify().unwrap().is_damaged(), "{what}");
        assert!(journal.session.history().unwrap().may_lack_newer, "{what}");
        // A writer that comes and goes changes nothing about that.
        drop(journal.session.writer().unwrap());
        assert!(matches!(journal.session.load(), Err(Error::Corrupt { .. })), "{what}");
        journal.judge_next_save(cut, &what);
    }
    // Of what was never written nothing can be lost.
    for len in [used, used + 1, used + 4096, journal.bytes.len() - 1] {
        fs::write(&journal.segment, &journal.bytes[..len]).unwrap();
        assert_eq!(journal.session.load().unwrap().data, journal.payloads[2], "cut to {len}");
        journal.judge_next_save(&journal.bytes[..len], &format!("cut to {len}"));
    }
}

/// A save that was cut short with its writer: everything agrees on the one before.
#[test]
fn what_was_cut_short_is_nowhere_to_be_seen() {
    let journal = journal();
    let mut tampered = journal.bytes.clone();
    // Without the mark of its writer's end, and with a stored byte that did not get to the disk.
    let end = journal.used() - 4096;
    tampered[end..end + 4096].fill(0);
    tampered[end - 4096 + 100] ^= 0xff;
    fs::write(&journal.segment, &tampered).unwrap();
    let loaded = journal.session.load().unwrap();
    assert_eq!((loaded.info.revision.number(), loaded.data.len()), (Some(2), 9000));
    let newest = journal.session.history().unwrap().revisions.remove(0);
    assert_eq!(newest.info, loaded.info);
    let summary = journal.session.status().unwrap().summary;
    assert_eq!((summary.size, summary.saved), (Some(9000), Some(loaded.info.saved)));
    assert_eq!(journal.session.save(b"next").unwrap().revision.number(), Some(5));
}

#[test]
fn records_of_other_places_are_not_taken() {
    let (ours, theirs) = (journal(), journal());
    for at in (0..ours.used()).step_by(4096) {
        for from in (0..theirs.used()).step_by(4096) {
            let mut tampered = ours.bytes.clone();
            tampered[at..at + 4096].copy_from_slice(&theirs.bytes[from..from + 4096]);
            fs::write(&ours.segment, &tampered).unwrap();
            match ours.session.load() {
                Ok(it) => assert!(ours.payloads.contains(&it.data)),
                Err(Error::Corrupt { .. } | Error::NoCheckpoint { .. }) => (),
                other => panic!("{other:?}"),
            }
        }
    }
    // A whole segment of another session, beside ours.
    fs::write(&ours.segment, &ours.bytes).unwrap();
    fs::copy(&theirs.segment, ours.segment.with_file_name("session.journal-1")).unwrap();
    let error = ours.session.load().unwrap_err();
    let Error::Corrupt { newest_good: Some(good), .. } = error else { panic!("{error:?}") };
    assert_eq!(ours.session.load_revision(good).unwrap().data, ours.payloads[2]);
    ours.session.save(b"goes on").unwrap();
    assert_eq!(ours.session.load().unwrap().data, b"goes on");
    let kept = ours.segment.with_file_name("session.journal.aside-1");
    assert_eq!(fs::read(kept).unwrap(), theirs.bytes);
}

/// Every byte that matters, flipped: what is said to load does, what is said to be lost does not, and a
/// repair makes the newest good revision load again, with no number given twice.
#[test]
fn verification_tells_the_truth_and_repair_makes_it_load() {
    let journal = journal();
    for at in (0..journal.used()).step_by(500) {
        let mut tampered = journal.bytes.clone();
        tampered[at] ^= 0x10;
        tampered[(at + 2048) % journal.used()] ^= 0x10;
        fs::write(&journal.segment, &tampered).unwrap();
        let what = format!("byte {at}");
        let found = journal.session.verify().unwrap();
        for it in &found.revisions {
            let loads = journal.session.load_revision(it.revision).is_ok();
            assert_eq!(loads, it.error.is_none(), "{what}: {found:?}");
        }
        let loaded = journal.session.load();
        let is_last = |it: &pitstop::Checkpoint| it.data == journal.payloads[2];
        assert!(found.is_damaged() || loaded.as_ref().is_ok_and(is_last), "{what}: {found:?}");
        assert_eq!(fs::read(&journal.segment).unwrap(), tampered, "verifying changes nothing");
        let repair = journal.session.repair().unwrap();
        match (loaded, repair.renewed) {
            (Ok(loaded), None) => assert_eq!(journal.session.load().unwrap(), loaded, "{what}"),
            (Err(Error::Corrupt { newest_good: Some(good), .. }), Some((was, is))) => {
                let loaded = journal.session.load().unwrap();
                assert_eq!((good, loaded.info.revision), (was, is), "{what}");
                let number = was.number().unwrap() as usize;
                assert!(loaded.data == journal.payloads[number - 1], "{what}");
                assert!(is.number() > Some(3), "{what}: {is}");
            }
            (Err(Error::Corrupt { newest_good: None, .. }), None) => {
                assert_eq!(repair.now.newest_good(), None, "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
        clear(journal.segment.parent().unwrap());
    }
}

/// A writer that comes and goes without saving, or is killed before it does, leaves the evidence where
/// it tells that something newer may be lost.
#[test]
fn a_writer_that_does_not_save_hides_no_damage() {
    let journal = journal();
    let noise = large(1);
    journal.session.save(&noise).unwrap();
    let newest = journal.segment.with_file_name("session.journal-1");
    lose_header(&newest);
    for _ in 0..2 {
        let lost = journal.session.load().unwrap_err();
        let Error::Corrupt { newest_good, .. } = lost else { panic!("{lost:?}") };
        assert_eq!(newest_good, Some(Revision::from_number(3)));
        drop(journal.session.writer().unwrap());
    }
    let saved = journal.session.save(b"newer").unwrap();
    assert!(saved.revision.number() > Some(4), "{}", saved.revision);
    assert_eq!(journal.session.load().unwrap().data, b"newer");
    assert!(!newest.exists() && newest.with_file_name("session.journal.aside-1").exists());
}

/// What is saved after damage hides no damage that comes later, in whatever file.
#[test]
fn damage_that_follows_damage_is_seen() {
    let journal = journal();
    let header = |place: &Path| fs::read(place).unwrap()[..4096].to_vec();
    lose_header(&journal.segment);
    for n in 0..60 {
        let data: Vec<u8> = large(n)[..5000].to_vec();
        journal
            .session
            .save_with(&data, &SaveOptions::new().keep(Retention::Revisions(2)))
            .unwrap();
        assert!(journal.session.load().unwrap().data == data);
        let files = fs::read_dir(journal.segment.parent().unwrap()).unwrap();
        let files = files.map(|it| it.unwrap().path());
        let segments = files.filter(|it| it.to_str().unwrap().contains("session.journal-"));
        let sequence =
            |place: &PathBuf| header(place)[16..24].to_vec().into_iter().rev().collect::<Vec<_>>();
        let newest = segments.max_by_key(sequence).unwrap();
        let good = fs::read(&newest).unwrap();
        lose_header(&newest);
        let lost = journal.session.load();
        assert!(matches!(lost, Err(Error::Corrupt { .. })), "save {n}: {lost:?}");
        fs::write(&newest, &good).unwrap();
    }
}

#[test]
fn damage_is_told_by_file_record_and_revision() {
    let journal = journal();
    let mut tampered = journal.bytes.clone();
    tampered[2 * 4096 + 300] ^= 1;
    fs::write(&journal.segment, &tampered).unwrap();
    fs::write(journal.segment.with_file_name("session.journal-1"), b"short").unwrap();
    let found = journal.session.verify().unwrap();
    let damage: Vec<_> = (found.findings.iter())
        .map(|it| (it.place.file_name().unwrap().to_str().unwrap(), it.at, it.revision))
        .collect();
    let lost = |number| Some(Revision::from_number(number));
    assert!(damage.contains(&("session.journal-0", Some(2 * 4096), lost(2))), "{found:?}");
    assert!(damage.contains(&("session.journal-1", None, None)), "{found:?}");
    // The third is a delta from the second.
    assert_eq!(found.newest_good(), lost(1));
    let repair = journal.session.repair().unwrap();
    let aside = journal.segment.with_file_name("session.journal.aside-1");
    assert_eq!(repair.moved_aside, [aside]);
    assert_eq!(journal.session.load().unwrap().data, journal.payloads[0]);
}

#[test]
fn what_is_no_file_is_moved_aside() {
    for name in ["session.writer", "session.journal-7", "session.replaces"] {
        let journal = journal();
        let place = journal.segment.with_file_name(name);
        let _ = fs::remove_file(&place);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("inside"), b"kept").unwrap();
        assert!(journal.session.verify().unwrap().is_damaged(), "{name}");
        let repair = journal.session.repair().unwrap();
        assert!(!repair.now.is_damaged(), "{name}: {repair:?}");
        assert_eq!(fs::read(repair.moved_aside[0].join("inside")).unwrap(), b"kept");
        assert_eq!(journal.session.load().unwrap().data, journal.payloads[2], "{name}");
        journal.session.save(b"goes on").unwrap();
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let journal = journal();
    let mut newer = journal.bytes.clone();
    for copy in [8, 2048 + 8] {
        newer[copy] = 2;
    }
    fs::write(&journal.segment, &newer).unwrap();
    assert!(matches!(journal.session.load(), Err(Error::NewerFormat { .. })));
    assert!(matches!(journal.session.save(b"x"), Err(Error::NewerFormat { .. })));
    assert_eq!(fs::read(&journal.segment).unwrap(), newer);
}

/// More than is taken into memory. Each block of it is unlike any other.
fn large(seed: u32) -> Vec<u8> {
    let word = |n: u32| (n ^ seed).wrapping_mul(2_654_435_761).rotate_left(seed);
    (0..2_300_000).map(word).flat_map(u32::to_le_bytes).collect()
}

/// All copies of it.
fn lose_header(place: &Path) {
    let mut bytes = fs::read(place).unwrap();
    for at in 0..bytes.len() - 8 {
        if bytes[at..].starts_with(b"PITSTOPj") {
            bytes[at..at + 8].fill(0);
        }
    }
    fs::write(place, bytes).unwrap();
}

fn flip(place: &Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(place).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Reads to the end, and gives how much came before an error and what that holds.
fn read_on(mut reader: CheckpointReader, expected: &[u8]) -> (usize, Option<Error>) {
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).err();
    assert!(expected.starts_with(&read) || error.is_some(), "wrong bytes, and no error");
    (read.len(), error.map(|error| error.downcast().unwrap()))
}

#[test]
fn damage_in_what_is_read_in_pieces_is_seen_before_the_first_byte_and_on_the_way() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    let data = large(1);
    session.save(b"before").unwrap();
    session.save_from(data.as_slice(), &SaveOptions::new()).unwrap();
    let segment = session.location().unwrap().join("session.journal-1");
    let end = 4096 + 96 + data.len() as u64;
    assert!(matches!(read_on(session.open_checkpoint().unwrap(), &data), (_, None)));
    for at in [4096 + 96, 3_000_000, end - 1] {
        let reader = session.open_checkpoint().unwrap();
        flip(&segment, at);
        match read_on(reader, &data) {
            (read, Some(Error::Corrupt { .. })) => assert!(read < data.len()),
            other => panic!("{other:?}"),
        }
        match session.open_checkpoint() {
            Err(Error::Corrupt { newest_good: Some(good), .. }) => {
                assert_eq!(session.load_revision(good).unwrap().data, b"before");
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            session.open_revision(Revision::from_number(2)),
            Err(Error::Corrupt { .. })
        ));
        flip(&segment, at);
    }
    // What comes into memory of the caller's is the checkpoint, or there is an error.
    let mut memory = Vec::new();
    flip(&segment, 3_000_000);
    match session.load_into(None, &mut memory) {
        Err(Error::Corrupt { newest_good, .. }) => {
            assert_eq!(newest_good, Some(Revision::from_number(1)));
        }
        other => panic!("{other:?}"),
    }
    flip(&segment, 3_000_000);
    session.load_into(None, &mut memory).unwrap();
    assert!(memory == data);
    fs::File::options().write(true).open(&segment).unwrap().set_len(end - 1).unwrap();
    let good = Revision::from_number(1);
    for lost in
        [session.open_checkpoint().map(drop), session.load_into(None, &mut memory).map(drop)]
    {
        assert!(
            matches!(lost, Err(Error::Corrupt { newest_good: Some(it), .. }) if it == good),
            "{lost:?}"
        );
    }
}

/// A reader is slow, and what it reads is given up and written over.
#[test]
fn what_is_written_over_while_it_is_read_in_pieces_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    let few = SaveOptions::new().keep(Retention::Revisions(1));
    let mut writer = session.writer().unwrap();
    let data = large(1);
    writer.save_with(&data, &few).unwrap();
    let reader = session.open_checkpoint().unwrap();
    // Once its revision is no longer kept, its segment is used again.
    for seed in 2..8 {
        writer.save_with(&large(seed), &few).unwrap();
    }
    match read_on(reader, &data) {
        (read, Some(Error::Corrupt { .. })) => assert!(read < data.len()),
        other => panic!("{other:?}"),
    }
    // What is kept stays.
    let reader = session.open_checkpoint().unwrap();
    writer.save_with(&large(8), &few).unwrap();
    assert!(matches!(read_on(reader, &large(7)), (_, None)));
}
