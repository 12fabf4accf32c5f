//! Saving a state of the same size again and again.

use anyhow::Result;

use crate::content::Random;
use crate::field::Field;
use crate::options::Options;
use crate::table::{Column, Table};

const KIB: usize = 1024;
const MIB: usize = KIB * KIB;

struct Size {
    name: &'static str,
    bytes: usize,
    /// So many saves until the peers go round in circles.
    warm_up: usize,
    /// Full and quick.
    rounds: (usize, usize),
    /// Saves in each turn.
    batch: usize,
}

const SIZES: [Size; 5] = [
    Size { name: "256 B", bytes: 256, warm_up: 80, rounds: (30, 20), batch: 10 },
    Size { name: "4 KiB", bytes: 4 * KIB, warm_up: 80, rounds: (30, 20), batch: 10 },
    Size { name: "64 KiB", bytes: 64 * KIB, warm_up: 40, rounds: (30, 15), batch: 5 },
    Size { name: "1 MiB", bytes: MIB, warm_up: 16, rounds: (20, 8), batch: 2 },
    Size { name: "16 MiB", bytes: 16 * MIB, warm_up: 14, rounds: (7, 3), batch: 1 },
];
/// So much changes where little does.
const CHANGE: usize = 64;

pub fn full(options: &Options) -> Result<Table> {
    Ok(Table {
        title: "Save, all of it new",
        about: "Each state has nothing in common with the one before, and cannot be compressed."
            .into(),
        columns: columns(options, &SIZES, |random, state| *state = random.bytes(state.len()))?,
    })
}

pub fn changed(options: &Options) -> Result<Table> {
    Ok(Table {
        title: "Save, little of it new",
        about: format!("{CHANGE} bytes somewhere in a state that cannot be compressed change."),
        columns: columns(options, &SIZES[1..], |random, state| random.change(state, CHANGE))?,
    })
}

fn columns(
    options: &Options,
    sizes: &[Size],
    change: impl Fn(&mut Random, &mut Vec<u8>),
) -> Result<Vec<Column>> {
    let column = |size: &Size| {
        // How a file came to lie in the system's cache makes a difference that lasts: more than one.
        let mut column = once(options, size, &change)?;
        for _ in 1..options.times(3, 1) {
            column.add(once(options, size, &change)?);
        }
        Ok(column)
    };
    sizes.iter().map(column).collect()
}

fn once(
    options: &Options,
    size: &Size,
    change: impl Fn(&mut Random, &mut Vec<u8>),
) -> Result<Column> {
    let mut field = Field::open(options, 1, size.bytes)?;
    let mut random = Random(1);
    let mut state = random.bytes(size.bytes);
    let mut turn = |field: &mut Field| {
        let next = |_| {
            change(&mut random, &mut state);
            state.clone()
        };
        let states: Vec<Vec<u8>> = (0..size.batch).map(next).collect();
        field.save(&states.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    for _ in 0..size.warm_up / size.batch {
        turn(&mut field)?;
    }
    field.start();
    for _ in 0..options.times(size.rounds.0, size.rounds.1) {
        turn(&mut field)?;
    }
    Ok(field.column(size.name))
}
