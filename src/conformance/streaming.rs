//! Saving and loading in pieces.

use std::io::{self, Read};

use super::{Subject, assert_error, create};
use crate::{
    Buffer, CheckpointInfo, Digest, Error, Result, Retention, Revision, SaveOptions, Session,
};

/// So much of noise, in pieces of odd lengths, and then perhaps an error.
struct Source {
    left: u64,
    piece: usize,
    fails: bool,
}

fn source(len: u64) -> Source {
    Source { left: len, piece: 1, fails: false }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.fails {
            return Err(io::Error::other("the source is out of order"));
        }
        self.piece = (self.piece * 5 + 3) % 100_000;
        let most = self.piece.min(buffer.len()).min(self.left as usize);
        for byte in &mut buffer[..most] {
            *byte = (self.left.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            self.left -= 1;
        }
        Ok(most)
    }
}

fn read_all(mut source: impl Read) -> Vec<u8> {
    let mut data = Vec::new();
    source.read_to_end(&mut data).unwrap();
    data
}

/// Memory of the caller's.
#[derive(Default)]
struct Memory(Vec<u8>);

impl Buffer for Memory {
    fn make(
        &mut self,
        size: usize,
        fill: &mut (dyn FnMut(&mut [u8]) -> Result<()> + Send),
    ) -> Result<()> {
        self.0 = vec![0xee; size];
        fill(&mut self.0)
    }
}

fn load_into(session: &Session, revision: Option<Revision>) -> Result<(CheckpointInfo, Vec<u8>)> {
    let mut memory = Memory::default();
    let info = session.load_into(revision, &mut memory)?;
    Ok((info, memory.0))
}

/// More than is saved in one piece.
const LARGE: u64 = 9_000_001;

pub(super) fn pieces(repository: &Subject) {
    let session = create(repository, "job");
    assert_error!(session.open_checkpoint(), Error::NoCheckpoint { .. });
    assert_error!(load_into(&session, None), Error::NoCheckpoint { .. });
    let options = match repository.capabilities.history {
        true => SaveOptions::new().keep(Retention::All),
        false => SaveOptions::new(),
    };
    let mut writer = session.writer().unwrap();
    let mut saved = Vec::new();
    for len in [0, 5000, LARGE, LARGE + 1, 70_000] {
        let info = writer.save_from(source(len), &options).unwrap();
        let expected = read_all(source(len));
        assert_eq!((info.size, info.digest), (len, Digest::of(&expected)));
        let reader = session.open_checkpoint().unwrap();
        assert_eq!(reader.info(), &info);
        assert!(read_all(reader) == expected, "{len} bytes");
        assert!(session.load().unwrap().data == expected, "{len} bytes");
        assert!(load_into(&session, None).unwrap() == (info.clone(), expected), "{len} bytes");
        saved.push(info);
    }
    // What was opened stays what it was.
    let mut opened = session.open_checkpoint().unwrap();
    writer.save_with(b"after them", &options).unwrap();
    let mut data = vec![0; 70_000];
    opened.read_exact(&mut data).unwrap();
    assert!(data == read_all(source(70_000)) && opened.read(&mut [0]).unwrap() == 0);
    let old = &saved[2];
    let follows_old = SaveOptions::new().follows(old.revision);
    assert_error!(writer.save_from(source(LARGE), &follows_old), Error::Conflict { .. });
    assert_eq!(session.load().unwrap().data, b"after them");
    drop(writer);
    if !repository.capabilities.history {
        assert_error!(session.open_revision(old.revision), Error::Unsupported { .. });
        assert_error!(load_into(&session, Some(old.revision)), Error::Unsupported { .. });
        return;
    }
    let reader = session.open_revision(old.revision).unwrap();
    assert_eq!(reader.info(), old);
    assert!(read_all(reader) == read_all(source(LARGE)));
    let loaded = load_into(&session, Some(old.revision)).unwrap();
    assert!(loaded == (old.clone(), read_all(source(LARGE))));
    let labelled = SaveOptions::new().label("step", "7");
    let info = session.save_from(source(LARGE), &labelled).unwrap();
    assert_eq!(info.labels["step"], "7");
    assert_eq!(session.open_checkpoint().unwrap().info(), &info);
    for none in [0, u64::MAX] {
        let none = Revision::from_number(none);
        assert_error!(session.open_revision(none), Error::NoRevision { .. });
        assert_error!(load_into(&session, Some(none)), Error::NoRevision { .. });
    }
}

pub(super) fn source_fails(repository: &Subject) {
    let session = create(repository, "job");
    session.save(b"kept").unwrap();
    let before = session.status().unwrap().summary;
    let mut writer = session.writer().unwrap();
    for len in [0, 70_000, LARGE] {
        let failing = Source { fails: true, ..source(len) };
        match writer.save_from(failing, &SaveOptions::new()) {
            Err(Error::Input { source }) => {
                assert_eq!(source.to_string(), "the source is out of order");
            }
            other => panic!("expected Input, got {other:?}"),
        }
        assert_eq!(session.load().unwrap().data, b"kept");
        assert_eq!(session.status().unwrap().summary.saved, before.saved);
    }
    writer.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}
