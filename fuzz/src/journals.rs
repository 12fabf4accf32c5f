//! A journal of which anybody changed anything.

use std::fs;
use std::sync::OnceLock;

use pitstop::{Checkpoint, Digest, Error, Repository, Result, SaveOptions, Session};
use twox_hash::XxHash3_64;

const BLOCK: usize = 4096;
const HEADER: usize = 96;
/// A segment's header, and where it stands.
const SEGMENT_HEADER: usize = 80;
const COPIES: [usize; 2] = [0, 2048];
/// Where in a block a third copy may be.
const THIRD: usize = BLOCK - SEGMENT_HEADER;

/// What was saved, as the numbers of the revisions have it, from 1 on.
fn payloads() -> Vec<Vec<u8>> {
    let noise = (0..6000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    let mut state: Vec<u8> = noise.collect();
    let mut all = vec![b"first".to_vec(), state.clone()];
    for n in 0..2_u8 {
        state[usize::from(n) * 700] ^= 0xff;
        state.push(n);
        all.push(state.clone());
    }
    all
}

/// The one segment of a journal of those.
fn segment() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let (_scratch, session) = scene();
        let mut writer = session.writer().unwrap();
        for data in payloads() {
            let options = SaveOptions::new().label("length", data.len().to_string());
            writer.save_with(&data, &options).unwrap();
        }
        drop(writer);
        let place = session.location().unwrap();
        assert!(!place.join("session.journal-1").exists(), "all of it is in one segment");
        fs::read(place.join("session.journal-0")).unwrap()
    })
}

fn scene() -> (tempfile::TempDir, Session) {
    let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    (scratch, session)
}

/// Changes a journal. The first byte says whether the checksums are made to hold again, as somebody
/// hostile would; each change after it is a block, a place in it, how many bytes, and these.
pub fn journals(data: &[u8]) {
    let Some((how, mut changes)) = data.split_first() else { return };
    let (is_sealed, is_cut) = (how & 1 == 1, how & 2 == 2);
    let mut bytes = segment().to_vec();
    while let [block, at, more, len, rest @ ..] = changes {
        let at = match block & 0x80 {
            0 => (usize::from(*at) << 4) + usize::from(*more),
            _ => usize::from(*at) % HEADER,
        };
        let at = (usize::from(block & 0x7f) * BLOCK + at) % bytes.len();
        let len = usize::from(len % 16).min(rest.len()).min(bytes.len() - at);
        bytes[at..at + len].copy_from_slice(&rest[..len]);
        changes = &rest[len..];
    }
    if is_sealed {
        seal(&mut bytes);
    }
    if is_cut {
        bytes.truncate(usize::from(how >> 2) * 512);
    }
    let (_scratch, session) = scene();
    let place = session.location().unwrap().join("session.journal-0");
    fs::write(&place, &bytes).unwrap();
    look(&session, is_sealed);
    // Whatever it is, no saved byte is taken for another, and a save that is acknowledged is there.
    let _ = session.repair();
    look(&session, is_sealed);
    for data in [b"goes on".as_slice(), b"and on"] {
        match session.save(data) {
            Ok(info) => {
                let loaded = session.load().unwrap();
                assert_eq!((loaded.data.as_slice(), loaded.info), (data, info));
            }
            Err(error) => {
                assert!(is_sealed && is_told(&error), "{error:?}");
                return;
            }
        }
    }
    look(&session, true);
}

/// Looks at all that can be seen of it.
fn look(session: &Session, is_sealed: bool) {
    let payloads = payloads();
    let check = |loaded: Result<Checkpoint>| match loaded {
        Ok(it) => {
            assert_eq!(
                (it.info.size, it.info.digest),
                (it.data.len() as u64, Digest::of(&it.data))
            );
            let number = it.info.revision.number().unwrap();
            // A number of its own has what was saved after the damage.
            if let (false, Some(saved)) = (is_sealed, payloads.get(number as usize - 1)) {
                assert!(it.data == *saved, "revision {number} is not what was saved");
            }
        }
        Err(error) => assert!(is_told(&error), "{error:?}"),
    };
    check(session.load());
    match session.history() {
        Ok(history) => {
            for kept in history.revisions {
                check(session.load_revision(kept.info.revision));
            }
        }
        Err(error) => assert!(is_told(&error), "{error:?}"),
    }
    match session.verify() {
        Ok(found) => drop(found.is_damaged()),
        Err(error) => assert!(is_told(&error), "{error:?}"),
    }
    if let Err(error) = session.status() {
        assert!(is_told(&error), "{error:?}");
    }
}

/// Damage is told as such, and not as a failure of the disk.
fn is_told(error: &Error) -> bool {
    matches!(
        error,
        Error::Corrupt { .. }
            | Error::NoCheckpoint { .. }
            | Error::NoRevision { .. }
            | Error::Unsupported { .. }
    )
}

/// Makes every checksum of a header hold: see docs/format.md.
fn seal(bytes: &mut [u8]) {
    let third = (THIRD..bytes.len()).step_by(BLOCK);
    let third: Vec<usize> = third.filter(|at| bytes[*at..].starts_with(b"PITSTOPj")).collect();
    for at in COPIES.into_iter().chain(third) {
        for check in [at + 40, at + 56, at + 72] {
            let sum = XxHash3_64::oneshot(&bytes[at..check]);
            bytes[check..check + 8].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let number =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let newest = COPIES.into_iter().max_by_key(|at| number(bytes, at + 16)).unwrap();
    let salt = number(bytes, newest + 24);
    for at in (BLOCK..bytes.len()).step_by(BLOCK) {
        if !bytes[at..].starts_with(b"PITSTOPr") {
            continue;
        }
        let labels = u32::from_le_bytes(bytes[at + 12..at + 16].try_into().unwrap()) as usize;
        let behind = at + HEADER + labels.min(BLOCK - HEADER);
        let stored = (number(bytes, at + 32) as usize).min(bytes.len() - behind);
        if bytes[at + 10] == 1 {
            let check = XxHash3_64::oneshot_with_seed(salt, &bytes[behind..behind + stored]);
            bytes[at + 80..at + 88].copy_from_slice(&check.to_le_bytes());
        }
        let labels = XxHash3_64::oneshot_with_seed(salt, &bytes[at + HEADER..behind]);
        let check = XxHash3_64::oneshot_with_seed(salt ^ labels, &bytes[at..at + 88]);
        bytes[at + 88..at + HEADER].copy_from_slice(&check.to_le_bytes());
    }
}
