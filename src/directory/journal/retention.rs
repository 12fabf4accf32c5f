//! Which revisions are kept.

use std::time::{Duration, SystemTime};

use super::segment::Segment;
use crate::checkpoint::Retention;

/// However little a checkpoint is, so much history fits.
const LEAST_BYTES: u64 = 64 * 1024;
const DEFAULT_REVISIONS: usize = 16;
const DEFAULT_FACTOR: u64 = 8;
/// Never fewer, whatever the rule: one may turn out to be damaged.
const LEAST_REVISIONS: usize = 2;

/// The oldest revision that has to be kept; `segments` go from the oldest to the newest.
pub(super) fn oldest_kept(segments: &[Segment], retention: Retention, now: SystemTime) -> u64 {
    let records = || segments.iter().rev().flat_map(|segment| segment.records.iter().rev());
    let newest = records().next().map_or(0, |record| record.header.size);
    let (mut count, mut bytes, mut oldest) = (0, 0, u64::MAX);
    for record in records() {
        bytes += record.len;
        let kept = match retention {
            Retention::Default => {
                count < DEFAULT_REVISIONS && bytes <= LEAST_BYTES.max(newest * DEFAULT_FACTOR)
            }
            Retention::Revisions(most) => count < most,
            Retention::Bytes(most) => bytes <= most,
            Retention::Age(most) => age(record.header.saved, now) <= most,
            Retention::All => return 0,
        };
        if !kept && count >= LEAST_REVISIONS {
            break;
        }
        count += 1;
        oldest = record.header.revision;
    }
    oldest
}

fn age(saved: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(saved).unwrap_or_default()
}
