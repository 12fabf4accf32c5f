//! What lies on disk: the blocks of docs/format.md, to bytes and back. Little-endian.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twox_hash::XxHash3_64;

pub(super) use super::super::bytes::encoded_labels_len;
use super::super::bytes::{decode_labels, encode_labels, u16_at, u32_at, u64_at, u128_at};
/// Everything starts at a multiple of this, so that writing one record never touches a sector that
/// holds another.
pub(super) use super::super::deltas::BLOCK;
use crate::checkpoint::{Digest, Labels};
use crate::revision::HIGHEST;

const VERSION: u16 = 1;
const SEGMENT_MAGIC: [u8; 8] = *b"PITSTOPj";
const RECORD_MAGIC: [u8; 8] = *b"PITSTOPr";
const SEGMENT_LEN: usize = 80;
/// A segment's header stands twice in its first block, in sectors apart. A third copy is in the padding
/// of its first record.
const COPIES: [usize; 2] = [0, 2048];
/// A record's header without its labels.
pub(super) const RECORD_LEN: usize = 96;

/// The header of a segment, in its first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Counts the uses of segments in a journal: the highest is the newest.
    pub sequence: u64,
    /// Drawn anew at each use. It seeds the checksums of the records, so that neither a payload nor
    /// what an earlier use left can pass for a record.
    pub salt: u64,
    /// Drawn when the journal is made: segments of different journals do not mix.
    pub journal: u64,
    /// Files of lower numbers were written for the last time before this use began: where such a one is
    /// damaged, nothing newer is lost. At most 2⁴⁸ − 1.
    pub outlived: u64,
    /// The revisions before this one were given up while this segment was the newest; 0 if none were.
    pub kept: u64,
    /// The length of the file, so that it is seen where it was cut short; 0 if that was not noted.
    pub capacity: u64,
}

/// What the first block of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstBlock {
    Segment(SegmentHeader),
    /// Of a format that this version does not know.
    Newer(u16),
    Damaged,
}

impl SegmentHeader {
    /// The first block of a segment.
    pub(super) fn encode(&self) -> Vec<u8> {
        let copy = self.copy();
        let mut block = vec![0; BLOCK as usize];
        for at in COPIES {
            block[at..at + copy.len()].copy_from_slice(&copy);
        }
        block
    }

    /// So many zeros and, if it fits, a copy of this at their end: what is behind the first record.
    pub(super) fn padding(&self, len: usize) -> Vec<u8> {
        let mut padding = vec![0; len];
        if let Some(at) = len.checked_sub(SEGMENT_LEN) {
            padding[at..].copy_from_slice(&self.copy());
        }
        padding
    }

    fn copy(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(SEGMENT_LEN);
        copy.extend(SEGMENT_MAGIC);
        copy.extend(VERSION.to_le_bytes());
        copy.extend(&self.outlived.to_le_bytes()[..6]);
        copy.extend(self.sequence.to_le_bytes());
        copy.extend(self.salt.to_le_bytes());
        copy.extend(self.journal.to_le_bytes());
        copy.extend(XxHash3_64::oneshot(&copy).to_le_bytes());
        for later in [self.kept, self.capacity] {
            copy.extend(later.to_le_bytes());
            copy.extend(XxHash3_64::oneshot(&copy).to_le_bytes());
        }
        copy
    }

    pub(super) fn decode(copy: &[u8]) -> Option<Self> {
        let is_checked = |at| u64_at(copy, at) == XxHash3_64::oneshot(&copy[..at]);
        let is_absent = |at: usize| copy[at - 8..at + 8].iter().all(|byte| *byte == 0);
        let sound = copy[..8] == SEGMENT_MAGIC
            && u16_at(copy, 8) == VERSION
            && u64_at(copy, 16) <= HIGHEST
            && u64_at(copy, 48) <= HIGHEST
            && is_checked(40)
            && [56, 72].into_iter().all(|at| is_checked(at) || is_absent(at));
        sound.then(|| Self {
            sequence: u64_at(copy, 16),
            salt: u64_at(copy, 24),
            journal: u64_at(copy, 32),
            outlived: u64_at(copy, 8) >> 16,
            kept: u64_at(copy, 48),
            capacity: u64_at(copy, 64),
        })
    }
}

/// Reads the first block of a segment. A write that was cut short may leave one copy as it was before;
/// the newer one counts.
pub(super) fn first_block(block: &[u8]) -> FirstBlock {
    let copies = COPIES.map(|at| &block[at..at + SEGMENT_LEN]);
    let good = copies.iter().filter_map(|copy| SegmentHeader::decode(copy));
    let newest = good.max_by_key(|it| (it.sequence, it.kept));
    if let Some(header) = newest {
        return FirstBlock::Segment(header);
    }
    let version = |copy: &&&[u8]| copy[..8] == SEGMENT_MAGIC && u16_at(copy, 8) > VERSION;
    match copies.iter().find(version) {
        Some(newer) => FirstBlock::Newer(u16_at(newer, 8)),
        None => FirstBlock::Damaged,
    }
}

/// Where in a segment the third copy of its header is and how long that is, by its second block. It stands
/// behind the first record, if its padding has room for it.
pub(super) fn third_copy(second: &[u8]) -> Option<(u64, usize)> {
    if second.get(..RECORD_LEN)?[..8] != RECORD_MAGIC || u16_at(second, 8) != VERSION {
        return None;
    }
    let head = RECORD_LEN as u64 + u64::from(u32_at(second, 12));
    let used = head.checked_add(u64_at(second, 32))?;
    let end = used.checked_next_multiple_of(BLOCK)?;
    let at = end.checked_sub(SEGMENT_LEN as u64).filter(|at| *at >= used)?;
    Some((BLOCK.checked_add(at)?, SEGMENT_LEN))
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole checkpoint.
    Full,
    /// What makes a checkpoint of the one before it in the same segment.
    Delta,
    /// No checkpoint: the writer ended in order after `revision`.
    Close,
}

/// The header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub kind: Kind,
    pub revision: u64,
    /// The revision before it in this journal; 0 if it is the first.
    pub previous: u64,
    /// The oldest revision that is kept. The space of those before it may be written over.
    pub kept: u64,
    /// How many bytes are stored behind the header.
    pub stored: u64,
    /// How many bytes the checkpoint has.
    pub size: u64,
    pub saved: SystemTime,
    /// Of the whole checkpoint.
    pub digest: Digest,
    /// Of a delta's stored bytes; what a full record stores is the checkpoint, whose digest is above.
    pub check: u64,
    pub labels: Labels,
}

impl RecordHeader {
    /// The bytes that go in front of the stored ones.
    pub(super) fn encode(&self, salt: u64) -> Vec<u8> {
        let labels = encode_labels(&self.labels);
        let since = self.saved.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut header = Vec::with_capacity(RECORD_LEN + labels.len());
        header.extend(RECORD_MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend([self.kind as u8, 0]);
        header.extend((labels.len() as u32).to_le_bytes());
        header.extend(self.revision.to_le_bytes());
        header.extend(self.previous.to_le_bytes());
        header.extend(self.stored.to_le_bytes());
        header.extend(self.size.to_le_bytes());
        header.extend(since.as_secs().to_le_bytes());
        header.extend(since.subsec_nanos().to_le_bytes());
        let kept = self.revision.saturating_sub(self.kept);
        header.extend(u32::try_from(kept).unwrap_or(u32::MAX).to_le_bytes());
        header.extend(self.digest.as_u128().to_le_bytes());
        header.extend(self.check.to_le_bytes());
        header.extend(header_check(&header, &labels, salt).to_le_bytes());
        header.extend(labels);
        header
    }

    /// Reads a header from the first block of a record; `None` if it is none of this segment's, or
    /// contradicts itself.
    pub(super) fn decode(block: &[u8], salt: u64) -> Option<Self> {
        let fixed = block.get(..RECORD_LEN)?;
        if fixed[..8] != RECORD_MAGIC || u16_at(fixed, 8) != VERSION {
            return None;
        }
        let labels = block.get(RECORD_LEN..)?.get(..u32_at(fixed, 12) as usize)?;
        if u64_at(fixed, 88) != header_check(&fixed[..88], labels, salt) {
            return None;
        }
        let kind = match fixed[10] {
            0 => Kind::Full,
            1 => Kind::Delta,
            2 => Kind::Close,
            _ => return None,
        };
        let (revision, previous) = (u64_at(fixed, 16), u64_at(fixed, 24));
        let (stored, size) = (u64_at(fixed, 32), u64_at(fixed, 40));
        let is_possible = match kind {
            Kind::Full => previous < revision && stored == size,
            Kind::Delta => previous < revision,
            Kind::Close => previous == revision,
        };
        if !is_possible || revision > HIGHEST {
            return None;
        }
        let since = Duration::new(u64_at(fixed, 48), u32_at(fixed, 56).min(999_999_999));
        Some(Self {
            kind,
            revision,
            previous,
            kept: revision.saturating_sub(u32_at(fixed, 60).into()),
            stored,
            size,
            saved: UNIX_EPOCH.checked_add(since)?,
            digest: Digest::from_u128(u128_at(fixed, 64)),
            check: u64_at(fixed, 80),
            labels: decode_labels(labels)?,
        })
    }

    /// Where the stored bytes begin, counted from the record's beginning.
    pub(super) fn stored_at(&self) -> u64 {
        (RECORD_LEN + encoded_labels_len(&self.labels)) as u64
    }

    /// How much of the segment it takes; `None` if it is longer than any file.
    pub(super) fn len(&self) -> Option<u64> {
        self.stored_at().checked_add(self.stored)?.checked_next_multiple_of(BLOCK)
    }
}

/// The checksum of a delta's stored bytes.
pub(super) fn stored_check(stored: &[u8], salt: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(salt, stored)
}

fn header_check(fixed: &[u8], labels: &[u8], salt: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(salt ^ XxHash3_64::oneshot_with_seed(salt, labels), fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RecordHeader {
        RecordHeader {
            kind: Kind::Delta,
            revision: 7,
            previous: 6,
            kept: 2,
            stored: 100,
            size: 5000,
            saved: UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789),
            digest: Digest::of(b"payload"),
            check: 99,
            labels: [("step", "7"), ("", "größe")].map(|(a, b)| (a.into(), b.into())).into(),
        }
    }

    #[test]
    fn headers_read_back_as_they_were_written() {
        for (kept, capacity) in [(0, 0), (1, 1 << 20), (HIGHEST, u64::MAX)] {
            let header =
                SegmentHeader { sequence: 3, salt: 4, journal: 5, outlived: 7, kept, capacity };
            assert_eq!(first_block(&header.encode()), FirstBlock::Segment(header));
        }
        let bytes = record().encode(11);
        assert_eq!(RecordHeader::decode(&bytes, 11), Some(record()));
        assert_eq!(record().stored_at(), bytes.len() as u64);
    }

    #[test]
    fn no_bit_of_a_record_header_can_change_unseen() {
        let bytes = record().encode(11);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(RecordHeader::decode(&flipped, 11).is_none(), "bit {bit}");
        }
        assert_eq!(RecordHeader::decode(&bytes, 12), None, "the salt of another segment");
        for len in 0..bytes.len() {
            assert_eq!(RecordHeader::decode(&bytes[..len], 11), None, "cut to {len}");
        }
    }

    #[test]
    fn no_bit_of_a_segment_header_can_change_unseen() {
        for kept in [0, 6] {
            let bytes = SegmentHeader {
                sequence: 3,
                salt: 4,
                journal: 5,
                outlived: 7,
                kept,
                capacity: 8 << 12,
            }
            .encode();
            // Those of the version may say that it is of a newer one.
            for bit in (0..64).chain(80..SEGMENT_LEN * 8) {
                let mut flipped = bytes.clone();
                COPIES.iter().for_each(|at| flipped[at + bit / 8] ^= 1 << (bit % 8));
                assert_eq!(first_block(&flipped), FirstBlock::Damaged, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_segment_survives_the_loss_of_a_sector_of_its_header() {
        let header =
            SegmentHeader { sequence: 3, salt: 4, journal: 5, outlived: 7, kept: 6, capacity: 8 };
        for sector in 0..8 {
            let mut block = header.encode();
            block[sector * 512..][..512].fill(0);
            assert_eq!(first_block(&block), FirstBlock::Segment(header));
        }
        assert_eq!(first_block(&[0; 4096]), FirstBlock::Damaged);
        assert_eq!(first_block(&[7; 4096]), FirstBlock::Damaged);
        let mut newer = header.encode();
        newer[8] = 9;
        newer[2056] = 9;
        assert_eq!(first_block(&newer), FirstBlock::Newer(9));
    }
}
