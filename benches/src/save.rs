//! Saving a state of the same size again and again.

use anyhow::Result;

use crate::content::Random;
use crate::field::Field;
use crate::options::Options;
use crate::table::{Column, Table};

const KIB: usize = 1024;
/// A size; saves until the peers go round in circles; rounds, full and quick; saves in each turn.
const SIZES: [(&str, usize, usize, (usize, usize), usize); 5] = [
    ("256 B", 256, 80, (100, 20), 10),
    ("4 KiB", 4 * KIB, 80, (100, 20), 10),
    ("64 KiB", 64 * KIB, 40, (80, 15), 5),
    ("1 MiB", KIB * KIB, 16, (50, 8), 2),
    ("16 MiB", 16 * KIB * KIB, 16, (20, 3), 1),
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
    sizes: &[(&str, usize, usize, (usize, usize), usize)],
    change: impl Fn(&mut Random, &mut Vec<u8>),
) -> Result<Vec<Column>> {
    let column = |&(name, size, warm_up, (full, quick), batch): &_| {
        let mut field = Field::open(options, 1, size)?;
        let mut random = Random(1);
        let mut state = random.bytes(size);
        let mut turn = |field: &mut Field| {
            let next = |_| {
                change(&mut random, &mut state);
                state.clone()
            };
            let states: Vec<Vec<u8>> = (0..batch).map(next).collect();
            field.save(&states.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        for _ in 0..warm_up / batch {
            turn(&mut field)?;
        }
        field.start();
        for _ in 0..options.times(full, quick) {
            turn(&mut field)?;
        }
        Ok(field.column(name))
    };
    sizes.iter().map(column).collect()
}
