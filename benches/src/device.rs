//! What reaches the device: flushes and bytes, as the block layer counts them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::content::{Random, json_states};
use crate::growth::STEP;
use crate::options::Options;
use crate::peers::Kind;
use crate::table::{Column, Table, Unit};

/// Enough for what the largest of the works leaves, and never filled.
const IMAGE: u64 = 6 << 30;
const SAVES: usize = 200;
/// Until a journal's segments are as long as they get.
const BEFORE: usize = 1200;

pub fn device(options: &Options) -> Result<Table> {
    let device = Device::make(options.scratch.path())?;
    let mut random = Random(4);
    let fresh: Vec<Vec<u8>> = (0..BEFORE + SAVES).map(|_| random.bytes(4096)).collect();
    let all = random.bytes(options.times(2000, 400) * STEP);
    let growing: Vec<&[u8]> = (1..=all.len() / STEP).map(|n| &all[..n * STEP]).collect();
    let json = json_states(options.times(200, 100));
    let heads = ["4 KiB: flushes each", "4 KiB: kB each", "growth: MB", "JSON: MB"];
    let mut columns: Vec<Column> =
        heads.map(|head| Column { head: head.into(), unit: Unit::Count, cells: Vec::new() }).into();
    for kind in options.peers.iter().filter(|kind| !kind.name.ends_with("again")) {
        let fresh: Vec<&[u8]> = fresh.iter().map(Vec::as_slice).collect();
        let json: Vec<&[u8]> = json.iter().map(Vec::as_slice).collect();
        let small = device.count(kind, &fresh[..BEFORE], &fresh[BEFORE..])?;
        let growth = device.count(kind, &[], &growing)?;
        let json = device.count(kind, &[], &json)?;
        let counts = [
            small.flushes as f64 / SAVES as f64,
            small.bytes as f64 / SAVES as f64 / 1e3,
            growth.bytes as f64 / 1e6,
            json.bytes as f64 / 1e6,
        ];
        for (column, count) in columns.iter_mut().zip(counts) {
            column.cells.push((kind.name, vec![Duration::from_nanos((count * 1e3) as u64)]));
        }
    }
    Ok(Table { title: "Flushes and bytes", about: device.about.clone(), columns })
}

#[derive(Clone, Copy)]
struct Counts {
    flushes: u64,
    bytes: u64,
}

/// A file system, and where the kernel counts what is written to it.
struct Device {
    place: PathBuf,
    counters: PathBuf,
    about: String,
    mounted: bool,
}

impl Device {
    /// A file system of our own in a file, where we may; else the one that the scratch directory is on.
    fn make(scratch: &Path) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            match Self::mount(scratch) {
                Ok(device) => return Ok(device),
                Err(reason) => eprintln!("There is no loop device: {reason:#}"),
            }
        }
        let device = rustix::fs::stat(scratch)?.st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        Ok(Self {
            place: scratch.to_owned(),
            counters: format!("/sys/dev/block/{major}:{minor}/stat").into(),
            about: "On the device that the rest was measured on: right only while nobody else writes to \
                    it, and without flushes if it is a partition."
                .into(),
            mounted: false,
        })
    }

    fn mount(scratch: &Path) -> Result<Self> {
        let (image, place) = (scratch.join("image"), scratch.join("mounted"));
        File::create(&image)?.set_len(IMAGE)?;
        fs::create_dir(&place)?;
        let eager = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", eager]).arg(&image))?;
        let name = run(Command::new("losetup").args(["--find", "--show"]).arg(&image))?;
        let mounted = run(Command::new("mount").arg(&name).arg(&place));
        // From now on it goes when it is unmounted.
        run(Command::new("losetup").args(["-d", &name]))?;
        mounted?;
        let number = name.rsplit('/').next().context("a loop device without a name")?;
        Ok(Self {
            place,
            counters: format!("/sys/block/{number}/stat").into(),
            about: "On ext4 on a loop device of its own, one peer after the other.".into(),
            mounted: true,
        })
    }

    /// What the second lot of saves costs.
    fn count(&self, kind: &Kind, before: &[&[u8]], saves: &[&[u8]]) -> Result<Counts> {
        let place = self.place.join("peer");
        fs::create_dir(&place)?;
        let most = saves.iter().map(|state| state.len()).max().unwrap_or(0);
        let mut peer = (kind.open)(&place, most)?;
        peer.save_all(before)?;
        rustix::fs::syncfs(File::open(&place)?)?;
        let start = self.read()?;
        peer.save_all(saves)?;
        let end = self.read()?;
        drop(peer);
        fs::remove_dir_all(&place)?;
        Ok(Counts { flushes: end.flushes - start.flushes, bytes: end.bytes - start.bytes })
    }

    fn read(&self) -> Result<Counts> {
        let text = fs::read_to_string(&self.counters)?;
        let numbers: Vec<u64> =
            text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        let number = |n: usize| numbers.get(n).copied().unwrap_or(0);
        Ok(Counts { flushes: number(15), bytes: number(6) * 512 })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.mounted
            && let Err(reason) = run(Command::new("umount").arg(&self.place))
        {
            eprintln!("{reason:#}");
        }
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", said.trim_end());
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
