//! Numbers to pick states with.

use super::disk::Survivors;

/// Numbers that are the same in each run (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bits(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    pub(crate) fn filler(&mut self) -> u128 {
        u128::from(self.next() & 1) << 127
    }

    /// A quarter, a half or three quarters of the changes.
    pub(crate) fn survivors(&mut self) -> Survivors {
        let (one, other) = (self.bits(), self.bits());
        Survivors(match self.below(3) {
            0 => one & other,
            1 => one,
            _ => one | other,
        })
    }
}
