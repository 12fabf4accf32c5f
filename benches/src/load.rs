//! Loading what was saved, from the system's cache into memory that is new.

use anyhow::Result;

use crate::content::Random;
use crate::field::Field;
use crate::options::Options;
use crate::table::{Column, Table};

const MIB: usize = 1 << 20;

pub fn load(options: &Options) -> Result<Table> {
    Ok(Table {
        title: "Load",
        about:
            "From the system's cache. Pitstop and nobody else opens the session anew, reads its \
                history and verifies the digest each time."
                .into(),
        columns: vec![
            column(options, "4 KiB", 4096, 0, options.times(300, 50))?,
            column(options, "16 MiB", 16 * MIB, 0, options.times(60, 10))?,
            column(options, "16 MiB after 100 small changes", 16 * MIB, 100, options.times(30, 5))?,
        ],
    })
}

fn column(
    options: &Options,
    head: &str,
    size: usize,
    changes: usize,
    rounds: usize,
) -> Result<Column> {
    let mut field = Field::open(options, 1, size)?;
    let mut random = Random(3);
    let mut state = random.bytes(size);
    field.save(&[&state])?;
    for _ in 0..changes {
        random.change(&mut state, 64);
        // Nobody else has more to load for it.
        let pitstop = field.lanes.iter_mut().filter(|lane| lane.name.starts_with("Pitstop"));
        for lane in pitstop {
            lane.peers[0].save(&state)?;
        }
    }
    field.start();
    for _ in 0..rounds {
        field.round(|lane| {
            lane.times.push(lane.peers[0].timed_load()?);
            Ok(())
        })?;
    }
    Ok(field.column(head))
}
