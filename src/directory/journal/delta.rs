//! What makes a checkpoint of the one before it: runs to copy, and bytes that are new.
//!
//! A sequence of `(copy: skip in the old one, length) (new: length, bytes)`, the numbers as LEB128,
//! the skip zigzag-coded and counted from the end of the last copy.

/// A run worth copying is at least so long.
const RUN: usize = 24;
/// How far apart, in either one, two equal runs are looked for.
const SHIFT: usize = 64;
/// So many failed searches in a row, and the two have nothing in common.
const MISSES: usize = 8;

/// The delta from `old` to `new`, or `None` if it would be longer than `limit`.
pub(super) fn encode(old: &[u8], new: &[u8], limit: usize) -> Option<Vec<u8>> {
    let tail = common_suffix(old, new);
    let (old_middle, new_middle) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut delta = Delta::default();
    let (mut i, mut j, mut misses) = (0, 0, 0);
    let mut fresh = 0; // Where the bytes that are new begin.
    while i < old_middle.len() && j < new_middle.len() {
        let run = common_prefix(&old_middle[i..], &new_middle[j..]);
        if run >= RUN {
            delta.put(&new_middle[fresh..j], i, run);
            (i, j) = (i + run, j + run);
            (fresh, misses) = (j, 0);
            continue;
        }
        match resynchronise(&old_middle[i..], &new_middle[j..]) {
            Some((skip_old, skip_new)) => (i, j) = (i + skip_old, j + skip_new),
            None => {
                misses += 1;
                let step = SHIFT.min(new_middle.len() - j);
                (i, j) = ((i + step).min(old_middle.len()), j + step);
            }
        }
        if misses > MISSES || delta.bytes.len() + (j - fresh) > limit {
            return None;
        }
    }
    delta.put(&new_middle[fresh..], old.len() - tail, tail);
    (delta.bytes.len() <= limit).then_some(delta.bytes)
}

/// How much of the old one the new one begins with.
pub(super) fn same_start(mut delta: &[u8]) -> usize {
    let numbers = [number(&mut delta), number(&mut delta), number(&mut delta)];
    match numbers {
        [Some(0), Some(0), Some(run)] => run as usize,
        _ => 0,
    }
}

/// A checkpoint in pieces of others: any number of deltas is replayed without copying it each time.
pub(super) struct Rope<'a> {
    /// Each piece and where it ends.
    pieces: Vec<(&'a [u8], usize)>,
}

impl<'a> Rope<'a> {
    pub(super) fn new(whole: &'a [u8]) -> Self {
        let mut rope = Self { pieces: Vec::new() };
        rope.push(whole);
        rope
    }

    /// Whether it is one piece.
    pub(super) fn is_whole(&self) -> bool {
        self.pieces.len() <= 1
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.last().map_or(0, |(_, end)| *end)
    }

    fn push(&mut self, piece: &'a [u8]) {
        if !piece.is_empty() {
            self.pieces.push((piece, self.len() + piece.len()));
        }
    }

    /// Whether this and what `delta` adds to it is in so many pieces that these take more memory than an eighth of
    /// the checkpoint: then it is to be made one before it goes on.
    pub(super) fn is_scattered(&self, delta: &[u8]) -> bool {
        const PIECE: usize = size_of::<(&[u8], usize)>();
        (self.pieces.len() + 2 * changes(delta)) * PIECE > self.len() / 8 + 4096
    }

    /// What a delta makes of this; `None` if it is no delta of it, or not for `size`.
    ///
    /// A delta copies each byte of the old one at most once. So what any number of them make is no longer than they
    /// and the whole one before them are together, whoever wrote them.
    pub(super) fn apply(&self, mut delta: &'a [u8], size: usize) -> Option<Self> {
        if size > self.len().checked_add(delta.len())? {
            return None;
        }
        let mut new = Self { pieces: Vec::new() };
        let (mut at, mut copied) = (0_u64, 0_u64);
        while !delta.is_empty() {
            let fresh = usize::try_from(number(&mut delta)?).ok()?;
            let (bytes, rest) = delta.split_at_checked(fresh)?;
            delta = rest;
            let skip = number(&mut delta)?;
            at = at.checked_add_signed((skip >> 1) as i64 ^ -((skip & 1) as i64))?;
            let end = at.checked_add(number(&mut delta)?)?;
            copied = copied.checked_add(end - at)?;
            if copied > self.len() as u64 {
                return None;
            }
            new.push(bytes);
            self.copy(usize::try_from(at).ok()?, usize::try_from(end).ok()?, &mut new)?;
            at = end;
            if new.len() > size {
                return None;
            }
        }
        (new.len() == size).then_some(new)
    }

    fn copy(&self, mut from: usize, to: usize, into: &mut Self) -> Option<()> {
        if to > self.len() {
            return None;
        }
        let mut n = self.pieces.partition_point(|(_, end)| *end <= from);
        while from < to {
            let (piece, end) = self.pieces[n];
            let start = end - piece.len();
            into.push(&piece[from - start..to.min(end) - start]);
            from = end;
            n += 1;
        }
        Some(())
    }

    /// The whole in one; `None` if there is no memory for it.
    pub(super) fn join(&self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        whole.try_reserve_exact(self.len()).ok()?;
        for (piece, _) in &self.pieces {
            whole.extend_from_slice(piece);
        }
        Some(whole)
    }

    /// The whole in one, where there is just as much room for it.
    pub(super) fn copy_to(&self, room: &mut [u8]) {
        for (piece, end) in &self.pieces {
            room[end - piece.len()..*end].copy_from_slice(piece);
        }
    }
}

/// How many runs a delta copies.
fn changes(mut delta: &[u8]) -> usize {
    let mut count = 0;
    while let Some(fresh) = number(&mut delta) {
        let rest = usize::try_from(fresh).ok().and_then(|fresh| delta.get(fresh..));
        delta = rest.unwrap_or_default();
        let _ = (number(&mut delta), number(&mut delta));
        count += 1;
    }
    count
}

#[derive(Default)]
struct Delta {
    bytes: Vec<u8>,
    copied_to: usize,
}

impl Delta {
    /// Some new bytes, and then a run of the old ones.
    fn put(&mut self, fresh: &[u8], from: usize, run: usize) {
        if fresh.is_empty() && run == 0 {
            return;
        }
        self.number(fresh.len() as u64);
        self.bytes.extend_from_slice(fresh);
        let skip = from as i64 - self.copied_to as i64;
        self.number(((skip << 1) ^ (skip >> 63)) as u64);
        self.number(run as u64);
        self.copied_to = from + run;
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The nearest pair of places, each at most [`SHIFT`] away, from where [`RUN`] bytes are equal.
fn resynchronise(old: &[u8], new: &[u8]) -> Option<(usize, usize)> {
    // Almost always the first bytes tell.
    let (old_firsts, new_firsts) = (firsts(old), firsts(new));
    (1..=2 * SHIFT).find_map(|distance| {
        let least = distance.saturating_sub(SHIFT);
        (least..=distance.min(SHIFT)).find_map(|skip_old| {
            let skip_new = distance - skip_old;
            if old_firsts[skip_old] != new_firsts[skip_new] {
                return None;
            }
            let (a, b) = (old.get(skip_old..skip_old + RUN)?, new.get(skip_new..skip_new + RUN)?);
            (a == b).then_some((skip_old, skip_new))
        })
    })
}

/// The first eight bytes of what is so far behind the beginning, each as a number.
fn firsts(bytes: &[u8]) -> [u64; SHIFT + 1] {
    let first = |at: usize| bytes.get(at..)?.first_chunk().map(|first| u64::from_le_bytes(*first));
    std::array::from_fn(|at| first(at).unwrap_or_default())
}

/// Long stretches at once, then shorter ones: one comparison of much is faster than many of little.
const STEPS: [usize; 2] = [4096, 64];

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut done = 0;
    for step in STEPS {
        let pairs = a[done..].chunks_exact(step).zip(b[done..].chunks_exact(step));
        done += pairs.take_while(|(a, b)| a == b).count() * step;
    }
    done + a[done..].iter().zip(&b[done..]).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let mut done = 0;
    for step in STEPS {
        let pairs =
            a[..a.len() - done].rchunks_exact(step).zip(b[..b.len() - done].rchunks_exact(step));
        done += pairs.take_while(|(a, b)| a == b).count() * step;
    }
    let (a, b) = (&a[..a.len() - done], &b[..b.len() - done]);
    done + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(old: &[u8], delta: &[u8], size: usize) -> Option<Vec<u8>> {
        Rope::new(old).apply(delta, size)?.join()
    }

    #[test]
    fn what_is_inserted_is_all_that_is_stored() {
        let old: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut new = old.clone();
        new.splice(100_000..100_000, *b"something new");
        new.splice(300_000..300_010, *b"short");
        new.extend_from_slice(&[7; 1000]);
        let delta = encode(&old, &new, 2000).unwrap();
        assert!(delta.len() < 1100, "{}", delta.len());
        assert_eq!(decode(&old, &delta, new.len()).unwrap(), new);
    }

    #[test]
    fn what_has_nothing_in_common_is_given_up_soon() {
        let noise = |seed: u64| -> Vec<u8> {
            let next = |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            std::iter::successors(Some(seed), next).take(1 << 20).map(|x| (x >> 56) as u8).collect()
        };
        assert_eq!(encode(&noise(1), &noise(2), 1 << 20), None);
    }

    #[test]
    fn what_copies_more_than_there_is_is_no_delta() {
        // The whole, again and again: 7 bytes for a mebibyte each.
        let old = vec![1; 1 << 20];
        let mut bomb = Delta::default();
        for _ in 0..6000 {
            bomb.put(b"x", 0, old.len());
        }
        assert!(bomb.bytes.len() < 60_000);
        let size = 6000 * (old.len() + 1);
        assert!(Rope::new(&old).apply(&bomb.bytes, size).is_none());
        // Nor are pieces made that nobody wants.
        assert!(Rope::new(&old).apply(&bomb.bytes, old.len()).is_none());
        assert_eq!(changes(&bomb.bytes), 6000);
    }

    proptest! {
        #[test]
        fn a_delta_makes_the_new_of_the_old(
            old in proptest::collection::vec(0_u8..4, 0..300),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40,
                proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
        ) {
            let mut new = old.clone();
            for (at, gone, fresh) in edits {
                let at = at.index(new.len() + 1);
                let end = (at + gone).min(new.len());
                new.splice(at..end, fresh);
            }
            if let Some(delta) = encode(&old, &new, 10_000) {
                prop_assert_eq!(decode(&old, &delta, new.len()), Some(new));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            old in proptest::collection::vec(any::<u8>(), 0..100),
            delta in proptest::collection::vec(any::<u8>(), 0..100),
            size in 0_usize..1000,
        ) {
            if let Some(new) = decode(&old, &delta, size) {
                prop_assert_eq!(new.len(), size);
            }
        }
    }
}
