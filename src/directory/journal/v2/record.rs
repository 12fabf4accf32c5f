//! Encodes and decodes the header of a record: docs/format.md, version 2.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twox_hash::XxHash3_64;

use super::super::bytes::{
    decode_labels, encode_labels, encoded_labels_len, u16_at, u32_at, u64_at, u128_at,
};
use super::layout::{BLOCK, Commit, Place, VERSION};
use crate::checkpoint::{CheckpointInfo, Digest, Labels};
use crate::revision::{HIGHEST, Revision};

const MAGIC: [u8; 8] = *b"PITSTOPr";
/// The length of a header without its labels. It lies in one sector.
pub(super) const HEADER_LEN: usize = 256;
const CHECK_AT: usize = 248;
/// The check of the header stands again at the end of the record's last block.
pub(super) const TRAILER_LEN: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole checkpoint.
    Full,
    /// Makes a checkpoint of the one before it, in the same ring.
    Delta,
    /// Holds no checkpoint: it only says which revisions are kept.
    Mark,
}

/// The header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub lsn: u64,
    pub revision: u64,
    /// The oldest revision that is kept.
    pub kept: u64,
    /// The length of the stored bytes.
    pub stored: u64,
    /// The length of the checkpoint.
    pub size: u64,
    pub saved: SystemTime,
    pub digest: Digest,
    /// The checksum of a delta's stored bytes.
    pub stored_check: u64,
    /// The commit before, and its place if it is of this version.
    pub previous: (Place, Commit),
    /// The place and the revision of the commit whose LSN is this one's without its lowest bit.
    pub jump: (Place, u64),
    /// Of a delta: the block of the full record that it is stored against.
    pub base: u32,
    /// How many checkpoints there are up to this one, and how many bytes their records take.
    pub count: u64,
    pub bytes: u64,
    pub labels: Labels,
}

/// A record whose header is good. Its stored bytes may still turn out not to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub header: Header,
    pub check: u64,
    pub place: Place,
}

impl Record {
    pub(super) fn commit(&self) -> Commit {
        let Header { lsn, revision, .. } = self.header;
        Commit { lsn, revision, check: self.check }
    }

    pub(super) fn info(&self) -> CheckpointInfo {
        let Header { revision, saved, size, digest, ref labels, .. } = self.header;
        let revision = Revision::from_number(revision);
        CheckpointInfo { revision, saved, size, digest, labels: labels.clone() }
    }

    /// Where in the file its stored bytes begin.
    pub(super) fn stored_at(&self) -> u64 {
        self.place.at() + (HEADER_LEN + encoded_labels_len(&self.header.labels)) as u64
    }

    /// The first block of its ring that it needs: its own, or that of the record it is stored against.
    pub(super) fn needs(&self) -> Place {
        match self.header.kind {
            Kind::Delta => Place { block: self.header.base, ..self.place },
            _ => self.place,
        }
    }
}

/// How many blocks a record takes; `None` if that is more than a file can have.
pub(super) fn blocks(labels: &Labels, stored: u64) -> Option<u32> {
    let head = (HEADER_LEN + encoded_labels_len(labels) + TRAILER_LEN) as u64;
    u32::try_from(head.checked_add(stored)?.div_ceil(BLOCK)).ok()
}

impl Header {
    /// The bytes that go in front of the stored ones, and their check.
    pub(super) fn encode(&self, salt: u64, block: u32) -> (Vec<u8>, u64) {
        let labels = encode_labels(&self.labels);
        let since = self.saved.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER_LEN + labels.len());
        let add = |bytes: &mut Vec<u8>, numbers: &[u64]| {
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        };
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([self.kind as u8, 0]);
        bytes.extend((labels.len() as u32).to_le_bytes());
        let Self { lsn, revision, kept, stored, size, .. } = *self;
        add(&mut bytes, &[lsn, revision, kept, stored, size, since.as_secs()]);
        bytes.extend(since.subsec_nanos().to_le_bytes());
        bytes.extend([0, 0, 1, 0]);
        add(&mut bytes, &[0]);
        bytes.extend(self.digest.as_u128().to_le_bytes());
        add(&mut bytes, &[self.stored_check, XxHash3_64::oneshot_with_seed(salt, &labels)]);
        self.previous.0.encode(&mut bytes);
        add(&mut bytes, &[self.previous.1.check]);
        self.jump.0.encode(&mut bytes);
        add(&mut bytes, &[self.jump.1, self.base.into(), self.count, self.bytes]);
        bytes.extend([0; 32]);
        add(&mut bytes, &[self.previous.1.revision]);
        bytes.resize(CHECK_AT, 0);
        let check = XxHash3_64::oneshot_with_seed(seed(salt, block), &bytes);
        bytes.extend(check.to_le_bytes());
        bytes.extend(labels);
        (bytes, check)
    }
}

impl Record {
    /// Reads a header from the first block of a record; `None` if it is none of this place.
    pub(super) fn decode(bytes: &[u8], salt: u64, file: u64, block: u32) -> Option<Self> {
        let fixed = checked(bytes, salt, block)?;
        let labels = bytes.get(HEADER_LEN..)?.get(..u32_at(fixed, 12) as usize)?;
        if u64_at(fixed, 104) != XxHash3_64::oneshot_with_seed(salt, labels) {
            return None;
        }
        let kind = match fixed[10] {
            0 => Kind::Full,
            1 => Kind::Delta,
            2 => Kind::Mark,
            _ => return None,
        };
        let is_known = fixed[11] == 0 && fixed[68..80] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let (lsn, revision, kept) = (u64_at(fixed, 16), u64_at(fixed, 24), u64_at(fixed, 32));
        let (stored, size, before) = (u64_at(fixed, 40), u64_at(fixed, 48), u64_at(fixed, 216));
        let is_possible = match kind {
            Kind::Full => before < revision && stored == size,
            Kind::Delta => before < revision && u32_at(fixed, 160) > 0,
            Kind::Mark => before == revision && stored == 0,
        };
        if !is_known || !is_possible || lsn == 0 || lsn.max(revision) > HIGHEST || kept > revision {
            return None;
        }
        let labels = decode_labels(labels)?;
        let since = Duration::new(u64_at(fixed, 56), u32_at(fixed, 64).min(999_999_999));
        let header = Header {
            kind,
            lsn,
            revision,
            kept,
            stored,
            size,
            saved: UNIX_EPOCH.checked_add(since)?,
            digest: Digest::from_u128(u128_at(fixed, 80)),
            stored_check: u64_at(fixed, 96),
            previous: (
                Place::decode(fixed, 112),
                Commit { lsn: lsn - 1, revision: before, check: u64_at(fixed, 128) },
            ),
            jump: (Place::decode(fixed, 136), u64_at(fixed, 152)),
            base: u32_at(fixed, 160),
            count: u64_at(fixed, 168),
            bytes: u64_at(fixed, 176),
            labels,
        };
        let place = Place { file, block, blocks: blocks(&header.labels, stored)? };
        Some(Self { header, check: u64_at(fixed, CHECK_AT), place })
    }
}

/// Which commit the record at this place follows, even if the rest of it was cut short.
pub(super) fn follows(bytes: &[u8], salt: u64, block: u32) -> Option<u64> {
    checked(bytes, salt, block).map(|fixed| u64_at(fixed, 128))
}

fn checked(bytes: &[u8], salt: u64, block: u32) -> Option<&[u8]> {
    let fixed = bytes.get(..HEADER_LEN)?;
    let is_sound = fixed[..8] == MAGIC
        && u16_at(fixed, 8) == VERSION
        && u64_at(fixed, CHECK_AT)
            == XxHash3_64::oneshot_with_seed(seed(salt, block), &fixed[..CHECK_AT]);
    is_sound.then_some(fixed)
}

/// A header is of its place, so that a copy of the file in a checkpoint of the same journal is none.
fn seed(salt: u64, block: u32) -> u64 {
    salt ^ u64::from(block).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The checksum of a delta's stored bytes.
pub(super) fn stored_check(stored: &[u8], salt: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(salt, stored)
}
