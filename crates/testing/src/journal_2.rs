//! What journals of version 2 cost, counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use pitstop::seam::Disk;
use pitstop::{Repository, Retention, Revision, SaveOptions, Session, Writer};

use crate::disk::SimulatedDisk;
use crate::hook::{Action, HookedDisk, Operation};
use crate::subject::{JOURNALS, Subject, create};

const LOCATION: &str = "/home/user/sessions";
const ID: &str = "a";
const V2: &Subject = &JOURNALS[1];

/// Counts the calls that are made of a disk.
#[derive(Clone, Debug, Default)]
struct Counter(Arc<Mutex<BTreeMap<Operation, usize>>>);

impl Counter {
    fn around(&self, disk: &SimulatedDisk) -> Arc<dyn Disk> {
        let counts = self.0.clone();
        Arc::new(HookedDisk::new(Arc::new(disk.clone()), move |call| {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(call.operation).or_default() += 1;
            Action::Pass
        }))
    }

    /// What was called since this was asked for the last time.
    fn take(&self) -> BTreeMap<Operation, usize> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sum(&self) -> usize {
        self.take().values().sum()
    }
}

fn repository(disk: Arc<dyn Disk>) -> Repository {
    V2.open(disk, Path::new(LOCATION)).unwrap()
}

fn session_on(disk: &SimulatedDisk) -> Session {
    repository(Arc::new(disk.clone())).get(ID).unwrap()
}

fn new_disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.put_directory("/home/user");
    create(&repository(Arc::new(disk.clone())), ID).unwrap();
    disk
}

/// A checkpoint of 5000 bytes that has nothing in common with another one.
fn data(number: u64) -> Vec<u8> {
    let noise = (0..625).map(|at| (number * 625 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    noise.flat_map(u64::to_le_bytes).collect()
}

fn save(writer: &mut Writer, number: u64, rule: Retention) -> Revision {
    writer.save_with(&data(number), &SaveOptions::new().keep(rule)).unwrap().revision
}

#[test]
fn a_save_costs_one_write_one_flush_and_one_note_in_the_hint() {
    let (disk, counter) = (new_disk(), Counter::default());
    let session = repository(counter.around(&disk)).get(ID).unwrap();
    let mut writer = session.writer().unwrap();
    // By then the ring is as long as it will be.
    for number in 0..200 {
        save(&mut writer, number, Retention::Revisions(4));
    }
    counter.take();
    const SAVES: usize = 100;
    for number in 0..SAVES as u64 {
        save(&mut writer, 200 + number, Retention::Revisions(4));
    }
    let counts = counter.take();
    // Before and behind the flush: the session, twice the writer's file, the ring and the hint, by their names.
    let wanted = [
        (Operation::SyncFile, SAVES),
        (Operation::Write, 2 * SAVES),
        (Operation::Metadata, 10 * SAVES),
    ];
    assert_eq!(counts, BTreeMap::from(wanted));
}

#[test]
fn what_is_kept_does_not_make_anything_dearer() {
    let costs = |revisions: u64| {
        let (disk, counter) = (new_disk(), Counter::default());
        let session = repository(counter.around(&disk)).get(ID).unwrap();
        let mut writer = session.writer().unwrap();
        for number in 0..revisions {
            save(&mut writer, number, Retention::All);
        }
        drop(writer);
        counter.take();
        session.load().unwrap();
        let load = counter.sum();
        session.status().unwrap();
        let status = counter.sum();
        let mut writer = session.writer().unwrap();
        let open = counter.sum();
        save(&mut writer, revisions, Retention::All);
        let save = counter.sum();
        session.load_revision(Revision::from_number(1)).unwrap();
        let oldest = counter.sum();
        [load, status, open, save, oldest]
    };
    let (few, many) = (costs(10), costs(2000));
    println!("load, status, open, save, load of the oldest: {few:?} with 10, {many:?} with 2000");
    for (few, many) in few.into_iter().zip(many).take(2) {
        assert_eq!(few, many);
    }
    // Along the jumps: as many as the number has bits, for the writer, and their square.
    assert!(many[2] <= few[2] + 8 * 11 && many[3] <= few[3] + 2, "{few:?}, {many:?}");
    assert!(many[4] <= few[4] + 3 * 11 * 11, "{few:?}, {many:?}");
}

#[test]
fn a_file_with_a_second_name_is_never_written() {
    let disk = new_disk();
    let session = session_on(&disk);
    let mut writer = session.writer().unwrap();
    for number in 1..=3 {
        save(&mut writer, number, Retention::Revisions(3));
    }
    let place = Path::new(LOCATION).join("a.session");
    let backend: Arc<dyn Disk> = Arc::new(disk.clone());
    let directory = backend.open(&place).unwrap();
    let mut linked = Vec::new();
    for (name, _) in directory.entries().unwrap() {
        if name.to_string_lossy().starts_with("session.journal-") || name == "session.journal.hint"
        {
            let snapshot = format!("snapshot of {}", name.display());
            directory.link(&name, snapshot.as_ref()).unwrap();
            linked.push((disk.read(place.join(&snapshot)).unwrap(), place.join(snapshot)));
        }
    }
    assert!(linked.len() >= 2);
    for number in 4..=40 {
        save(&mut writer, number, Retention::Revisions(3));
    }
    for (before, snapshot) in linked {
        assert!(disk.read(&snapshot).unwrap() == before, "{}", snapshot.display());
    }
    assert_eq!(session.load().unwrap().data, data(40));
}
