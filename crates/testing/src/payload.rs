//! What is saved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The payload of this number. Each sector of each is unlike any other.
pub(crate) fn payload(number: u32) -> Arc<[u8]> {
    static MADE: Mutex<BTreeMap<u32, Arc<[u8]>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(number).or_insert_with(|| make_payload(number).into()).clone()
}

fn make_payload(number: u32) -> Vec<u8> {
    const SIZES: [u32; 4] = [0, 1, 600, 5000];
    let noise = |seed: u32, size: u32| {
        let mut x = seed;
        (0..size).map(move |_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8 | 1
        })
    };
    match number {
        TWIN..NOISE => {
            let mut twin: Vec<u8> = noise(0, 1000).collect();
            twin[..300].copy_from_slice(&noise(number, 300).collect::<Vec<u8>>());
            twin
        }
        NOISE..STATE => noise(number, 4000 + number * 1237 % 5000).collect(),
        STATE..LARGE => {
            let nth = number - STATE;
            let mut state: Vec<u8> = noise(0, 6000 + 300 * nth).collect();
            state[nth as usize * 97..][..30].copy_from_slice(&[nth as u8; 30]);
            state
        }
        LARGE..HUGE => noise(number, 150_000).collect(),
        HUGE.. => noise(number, 4_300_000).collect(),
        _ => {
            let size = SIZES[number as usize % SIZES.len()];
            (0..size).map(|at| (number.wrapping_mul(31) + at / 512 * 7 + at) as u8 | 1).collect()
        }
    }
}

/// From here on, payloads that differ in the first sector of their record alone.
pub(crate) const TWIN: u32 = 50;
/// From here on, payloads that have nothing in common, of which few are kept.
pub(crate) const NOISE: u32 = 100;
/// From here on, one that grows and changes a little.
pub(crate) const STATE: u32 = 200;
/// From here on, so large that a segment holds two of them.
pub(crate) const LARGE: u32 = 300;
/// From here on, so large that a segment for them is not filled with zeros.
pub(crate) const HUGE: u32 = 400;
