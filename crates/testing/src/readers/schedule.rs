//! How far a writer has come before each call of a reader.

use std::fmt;

use super::timeline::Timeline;
use crate::random::Random;

/// The moment at which a reader begins, and the naps that it takes: before which of its calls the writer goes
/// on, and by how many moments.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub start: usize,
    naps: Vec<(usize, usize)>,
}

impl Schedule {
    /// One for a reader that makes about so many calls.
    pub(super) fn random(random: &mut Random, timeline: &Timeline, calls: usize) -> Self {
        let moments = timeline.moments.len();
        let start = random.below(moments);
        let left = moments - start;
        let step = timeline.step_length();
        let mut naps: Vec<(usize, usize)> = match random.below(8) {
            // The writer is as fast as the reader, or faster.
            0 => (0..calls + 4).map(|call| (call, 1 + random.below(3))).collect(),
            1 => (0..calls + 4).map(|call| (call, random.below(step + 1))).collect(),
            kind => (0..1 + random.below(3))
                .map(|_| {
                    let far = match kind {
                        2 | 3 => 1 + random.below(4),
                        4 | 5 => random.below(2 * step + 1),
                        _ => random.below(left + 1),
                    };
                    (random.below(calls + 1), far)
                })
                .collect(),
        };
        naps.sort_unstable();
        Self { start, naps }
    }

    /// One for a reader beside a writer that stands still.
    pub(super) fn at(start: usize) -> Self {
        Self { start, naps: Vec::new() }
    }

    /// The moment of the call of this number.
    pub(super) fn moment(&self, call: usize, last: usize) -> usize {
        let naps = self.naps.iter().take_while(|(before, _)| *before <= call);
        (self.start + naps.map(|(_, far)| far).sum::<usize>()).min(last)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let start = parts.next()?.parse().ok()?;
        let nap = |part: &str| {
            let (before, far) = part.split_once('+')?;
            Some((before.parse().ok()?, far.parse().ok()?))
        };
        Some(Self { start, naps: parts.map(nap).collect::<Option<_>>()? })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start)?;
        self.naps.iter().try_for_each(|(before, far)| write!(f, ",{before}+{far}"))
    }
}
