//! Listing a repository that holds many sessions.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pitstop::{Format, Repository};
use tempfile::TempDir;

use crate::options::Options;
use crate::peers::python::{self, Python};
use crate::table::{Column, Table, Unit};

const REPEATS: usize = 7;

pub fn list(options: &Options) -> Result<Table> {
    Ok(Table {
        title: "List",
        about: "All sessions with the time and size of their checkpoints, and whether a writer lives; \
                the bare disk: the names, and when each session's file was changed; the seed: the names \
                alone. In the system's cache."
            .into(),
        columns: vec![
            column(options, Format::Plain, options.times(100_000, 10_000))?,
            column(options, Format::Journal, options.times(20_000, 2_000))?,
        ],
    })
}

fn column(options: &Options, format: Format, number: usize) -> Result<Column> {
    let scratch = TempDir::new_in(&options.scratch)?;
    let place = scratch.path().join("sessions");
    let repository = Repository::open(&place)?.with_format(format);
    make(&repository, number)?;
    let seeds = options.peers.iter().any(|kind| kind.name.starts_with("seed"));
    let mut seed = if seeds {
        Some(python::start("seed", &options.scratch.path().join("seed"))?)
    } else {
        None
    };
    let mut cells: Vec<(&str, Vec<Duration>)> =
        vec![("bare disk", Vec::new()), ("Pitstop", Vec::new()), ("seed (Python)", Vec::new())];
    for _ in 0..REPEATS {
        cells[0].1.push(timed(|| bare(&place, number))?);
        cells[1].1.push(timed(|| {
            let listing = repository.list()?;
            ensure!(listing.sessions.len() == number && listing.problems.is_empty());
            Ok(())
        })?);
        if let Some(seed) = &mut seed {
            cells[2].1.push(Python::list(seed, &place)?);
        }
    }
    cells.retain(|(_, times)| !times.is_empty());
    Ok(Column { head: format!("{number} sessions, {format}"), unit: Unit::Time, cells })
}

/// One session as Pitstop makes it, and copies of it.
fn make(repository: &Repository, number: usize) -> Result<()> {
    let first = repository.get_or_create("session-0")?;
    first.save(&[7; 300])?;
    let Some(first) = first.location() else { return Ok(()) };
    let files: Vec<_> = fs::read_dir(&first)?.collect::<std::io::Result<_>>()?;
    for n in 1..number {
        let copy = repository.location().join(format!("session-{n}.session"));
        fs::create_dir(&copy)?;
        for file in &files {
            fs::copy(file.path(), copy.join(file.file_name()))?;
        }
    }
    rustix::fs::syncfs(fs::File::open(&first)?)?;
    Ok(())
}

fn bare(place: &Path, number: usize) -> Result<()> {
    let mut count = 0;
    for session in fs::read_dir(place)? {
        let path = session?.path();
        let file = fs::metadata(path.join("session")).or_else(|_| fs::metadata(&path));
        std::hint::black_box(file?.modified()?);
        count += 1;
    }
    ensure!(count == number);
    Ok(())
}

fn timed(call: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    call()?;
    Ok(start.elapsed())
}
