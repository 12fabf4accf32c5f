//! States that grow, saved whole at each step.

use std::time::Duration;

use anyhow::Result;

use crate::content::{Random, json_states};
use crate::field::Field;
use crate::options::Options;
use crate::table::{Column, Table};

pub const STEP: usize = 1024;
/// So many saves in each turn.
const BATCH: usize = 5;

pub fn growing(options: &Options) -> Result<Table> {
    let steps = options.times(2000, 400);
    let all = Random(2).bytes(steps * STEP);
    let states: Vec<&[u8]> = (1..=steps).map(|n| &all[..n * STEP]).collect();
    Ok(Table {
        title: "A state that grows",
        about: "1 KiB more at each save. The time of all saves together.".into(),
        columns: vec![replay(options, &states, 1, format!("{steps} × 1 KiB"))?],
    })
}

pub fn json(options: &Options) -> Result<Table> {
    let states = json_states(options.times(200, 100));
    let states: Vec<&[u8]> = states.iter().map(Vec::as_slice).collect();
    let last = states.last().map_or(0, |state| state.len()) / 1024;
    let head = format!("{} saves, up to {last} KiB", states.len());
    Ok(Table {
        title: "A test run as JSON",
        about:
            "The session of a test runner: at each save one more result, somewhere in the middle. \
                The time of all saves together."
                .into(),
        columns: vec![replay(options, &states, options.times(5, 1), head)?],
    })
}

/// Saves all states, so often from the beginning.
fn replay(options: &Options, states: &[&[u8]], often: usize, head: String) -> Result<Column> {
    let most = states.last().map_or(0, |state| state.len());
    let mut column: Option<Column> = None;
    for _ in 0..often {
        let mut field = Field::open(options, 1, most)?;
        for batch in states.chunks(BATCH) {
            field.save(batch)?;
        }
        for lane in &mut field.lanes {
            lane.times = vec![lane.times.iter().sum::<Duration>()];
        }
        let once = field.column(head.clone());
        match &mut column {
            Some(column) => column.add(once),
            None => column = Some(once),
        }
    }
    Ok(column.unwrap_or_else(|| Column::empty(head)))
}
