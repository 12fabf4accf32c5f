//! Encodes and decodes the header of a ring: docs/format.md, version 2.

use twox_hash::XxHash3_64;

use super::super::bytes::{u16_at, u32_at, u64_at};
pub(super) use super::super::deltas::BLOCK;
use crate::revision::HIGHEST;

pub(super) const VERSION: u16 = 2;
const MAGIC: [u8; 8] = *b"PITSTOPj";
const LEN: usize = 80;
/// Where the copies are in the first block. A third one is at the beginning of the last block.
const COPIES: [usize; 2] = [0, 2048];

/// The place of a record: its file, its first block, and how many it takes. Block 0 holds the file's header,
/// so that it says that there is no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub file: u64,
    pub block: u32,
    pub blocks: u32,
}

impl Place {
    pub(super) fn at(self) -> u64 {
        u64::from(self.block) * BLOCK
    }

    pub(super) fn len(self) -> u64 {
        u64::from(self.blocks) * BLOCK
    }

    /// The block behind it.
    pub(super) fn end(self) -> u32 {
        self.block.saturating_add(self.blocks)
    }

    pub(super) fn is_some(self) -> bool {
        self.block > 0
    }

    pub(super) fn encode(self, into: &mut Vec<u8>) {
        into.extend(self.file.to_le_bytes());
        into.extend(self.block.to_le_bytes());
        into.extend(self.blocks.to_le_bytes());
    }

    pub(super) fn decode(bytes: &[u8], at: usize) -> Self {
        let (block, blocks) = (u32_at(bytes, at + 8), u32_at(bytes, at + 12));
        Self { file: u64_at(bytes, at), block, blocks }
    }
}

/// The identity of a commit. All zeros is the one before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    pub lsn: u64,
    /// The revision of the newest checkpoint in it or before it.
    pub revision: u64,
    pub check: u64,
}

/// The header of a ring. It is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The number in the file's name.
    pub number: u64,
    /// Seeds the checks of the records.
    pub salt: u64,
    /// Drawn when the journal was made: files of different journals do not mix.
    pub journal: u64,
    /// The length of the file.
    pub len: u64,
    /// Whether the commit before was version 1's newest.
    pub is_upgrade: bool,
    /// The commit before the first one in this file. What is newer in files of lower numbers does not count.
    pub follows: Commit,
}

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstBlock {
    Ring(FileHeader),
    Older,
    Newer(u16),
    Damaged,
}

impl FileHeader {
    fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(LEN);
        copy.extend(MAGIC);
        copy.extend(VERSION.to_le_bytes());
        copy.extend(0_u16.to_le_bytes());
        copy.extend(u32::from(self.is_upgrade).to_le_bytes());
        let Commit { lsn, revision, check } = self.follows;
        let numbers = [self.number, self.salt, self.journal, self.len, lsn, revision, check];
        copy.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
        copy.extend(XxHash3_64::oneshot(&copy).to_le_bytes());
        copy
    }

    pub(super) fn first_block(&self) -> Vec<u8> {
        self.block(&COPIES)
    }

    pub(super) fn last_block(&self) -> Vec<u8> {
        self.block(&COPIES[..1])
    }

    fn block(&self, places: &[usize]) -> Vec<u8> {
        let mut block = vec![0; BLOCK as usize];
        for at in places {
            block[*at..at + LEN].copy_from_slice(&self.encode());
        }
        block
    }

    /// The block behind the last one that a record can take.
    pub(super) fn end(&self) -> u32 {
        u32::try_from((self.len / BLOCK).saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn decode(copy: &[u8]) -> Option<Self> {
        let sound = copy[..8] == MAGIC
            && u16_at(copy, 8) == VERSION
            && u16_at(copy, 10) == 0
            && u64_at(copy, 72) == XxHash3_64::oneshot(&copy[..72])
            && u64_at(copy, 48) <= HIGHEST
            && u64_at(copy, 56) <= HIGHEST;
        sound.then(|| Self {
            is_upgrade: u32_at(copy, 12) == 1,
            number: u64_at(copy, 16),
            salt: u64_at(copy, 24),
            journal: u64_at(copy, 32),
            len: u64_at(copy, 40),
            follows: Commit {
                lsn: u64_at(copy, 48),
                revision: u64_at(copy, 56),
                check: u64_at(copy, 64),
            },
        })
    }
}

/// Reads the first and the last block of a file.
pub(super) fn read(first: &[u8], last: &[u8]) -> FirstBlock {
    let copies = COPIES.iter().filter_map(|at| first.get(*at..at + LEN)).chain(last.get(..LEN));
    let mut outcome = FirstBlock::Damaged;
    for copy in copies {
        match FileHeader::decode(copy) {
            Some(header) => return FirstBlock::Ring(header),
            None if copy[..8] != MAGIC => (),
            None => match (u16_at(copy, 8), u16_at(copy, 10)) {
                (1, _) => outcome = FirstBlock::Older,
                // One that has a feature which this version does not know.
                (VERSION, 0) => (),
                (version, _) => outcome = FirstBlock::Newer(version),
            },
        }
    }
    outcome
}
