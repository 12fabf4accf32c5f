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
                history and verifies the digest each time. Its writer has ended, but where it says so."
                .into(),
        columns: vec![
            column(options, "4 KiB", 4096, 0, true)?,
            column(options, "16 MiB", 16 * MIB, 0, true)?,
            column(options, "16 MiB, after 100 small changes", 16 * MIB, 100, true)?,
            column(options, "16 MiB, beside a writer", 16 * MIB, 0, false)?,
        ],
    })
}

fn column(
    options: &Options,
    head: &str,
    size: usize,
    changes: usize,
    ended: bool,
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
    if ended {
        field.lanes.iter_mut().for_each(|lane| lane.peers[0].end());
    }
    field.start();
    let rounds = if size < MIB { options.times(300, 50) } else { options.times(40, 10) };
    for _ in 0..rounds {
        field.round(|lane| {
            lane.times.push(lane.peers[0].timed_load()?);
            Ok(())
        })?;
    }
    Ok(field.column(head))
}
