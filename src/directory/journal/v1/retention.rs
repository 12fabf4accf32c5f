//! Which revisions are kept.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::format::RecordHeader;
use super::segment::Record;
use crate::checkpoint::Retention;

/// However little a checkpoint is, so much history fits.
const LEAST_BYTES: u64 = 64 * 1024;
const DEFAULT_REVISIONS: usize = 16;
const DEFAULT_FACTOR: u64 = 8;
/// Never fewer, whatever the rule: one may turn out to be damaged.
const LEAST_REVISIONS: usize = 2;

/// The revisions that are kept. It is moved on with each save, in a time that does not depend on how
/// many they are.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The oldest first.
    records: VecDeque<Kept>,
    bytes: u64,
}

#[derive(Debug)]
struct Kept {
    revision: u64,
    len: u64,
    size: u64,
    saved: SystemTime,
}

impl Window {
    /// Adds the newest.
    pub(super) fn push(&mut self, record: &Record) {
        let RecordHeader { revision, size, saved, .. } = record.header;
        self.records.push_back(Kept { revision, len: record.len, size, saved });
        self.bytes += record.len;
    }

    /// Drops what this rule does not keep. Gives the oldest that it does, if it dropped any.
    pub(super) fn shrink(&mut self, rule: Retention, now: SystemTime) -> Option<u64> {
        let mut dropped = false;
        while self.records.len() > LEAST_REVISIONS && !self.keeps_all(rule, now) {
            let oldest = self.records.pop_front()?;
            self.bytes -= oldest.len;
            dropped = true;
        }
        self.records.front().filter(|_| dropped).map(|oldest| oldest.revision)
    }

    fn keeps_all(&self, rule: Retention, now: SystemTime) -> bool {
        let (Some(oldest), Some(newest)) = (self.records.front(), self.records.back()) else {
            return true;
        };
        match rule {
            Retention::Default => {
                let most = newest.size.saturating_mul(DEFAULT_FACTOR).max(LEAST_BYTES);
                self.records.len() <= DEFAULT_REVISIONS && self.bytes <= most
            }
            Retention::Revisions(most) => self.records.len() <= most,
            Retention::Bytes(most) => self.bytes <= most,
            Retention::Age(most) => age(oldest.saved, now) <= most,
            Retention::All => true,
        }
    }
}

fn age(saved: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(saved).unwrap_or_default()
}
