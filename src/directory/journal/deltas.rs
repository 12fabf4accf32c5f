//! When a delta is tried, and against what.

use super::delta;

/// Records take whole blocks, in both versions of the format.
pub(super) const BLOCK: u64 = 4096;
/// A checkpoint this much shorter than a block takes one block in any case.
const LEAST_HEADER: usize = 96;
/// After failures, at most so many saves do not try.
const LONGEST_PAUSE: u32 = 31;

/// What a delta is made against, and whether it is worth trying.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    /// The checkpoint before, if it is in the segment that is written now.
    pub previous: Option<Vec<u8>>,
    /// How much of it the checkpoint that the last delta makes begins with.
    same: usize,
    /// The length of the last full record, and of the deltas behind it: to replay them costs no more
    /// than to read it.
    whole: u64,
    replayed: u64,
    pause: u32,
    failures: u32,
}

impl Deltas {
    /// Goes on behind a record that was read: `whole` is the length of the last full record, `replayed` that
    /// of the deltas behind it.
    pub(super) fn resume(&mut self, whole: u64, replayed: u64, data: Vec<u8>) {
        (self.whole, self.replayed, self.previous) = (whole, replayed, Some(data));
    }

    /// The delta from the checkpoint before, if it is shorter by a block at least than `whole`, the
    /// length of a full record. `head` is the length of the header.
    pub(super) fn make(&mut self, data: &[u8], head: u64, whole: u64) -> Option<Vec<u8>> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        let previous = self.previous.as_ref()?;
        let most = (whole - BLOCK).min(self.whole.saturating_sub(self.replayed));
        let limit = most.checked_sub(head).filter(|limit| *limit > 0)?;
        let delta = delta::encode(previous, data, limit as usize);
        match &delta {
            Some(delta) => (self.failures, self.same) = (0, delta::same_start(delta)),
            None if most < whole - BLOCK => (),
            None => {
                self.failures = (self.failures + 1).min(5);
                self.pause = ((1 << self.failures) - 1).min(LONGEST_PAUSE);
            }
        }
        delta
    }

    /// Notes what was saved. A copy of it is kept only if the next save tries.
    pub(super) fn note(&mut self, is_delta: bool, len: u64, data: &[u8]) {
        if !is_delta {
            (self.whole, self.replayed) = (len, 0);
        } else {
            self.replayed += len;
        }
        if self.pause > 0 || data.len() + LEAST_HEADER <= BLOCK as usize {
            self.previous = None;
            return;
        }
        let previous = self.previous.get_or_insert_default();
        let same = if is_delta { self.same } else { 0 };
        previous.truncate(same);
        previous.extend_from_slice(&data[previous.len()..]);
    }
}
