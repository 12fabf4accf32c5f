//! What all this was measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::options::Options;

pub fn describe(options: &Options) -> Result<String> {
    let uname = rustix::system::uname();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!(
        "{cpus} processors ({}), Linux {}, {}. Load averages at the start: {}.{}\n\n{}.",
        processor(),
        uname.release().to_string_lossy(),
        file_system(options.scratch.path()),
        load(),
        if options.quick { " A quick run: take the long one to quote." } else { "" },
        versions().join(", "),
    ))
}

pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.unwrap_or("unknown").trim_start_matches([' ', '\t', ':']).to_owned()
}

/// Its kind, and whether the device has a cache that flushes have to empty.
fn file_system(place: &Path) -> String {
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(place).output();
    let kind = kind.map_or(String::new(), |it| {
        String::from_utf8_lossy(&it.stdout).trim().replace("ext2/ext3", "ext4")
    });
    let device = rustix::fs::stat(place).map_or(0, |stat| stat.st_dev);
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let cache = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/queue/write_cache"));
    let cache = cache.map_or("unknown".into(), |it| it.trim().to_owned());
    format!("file system {kind}, write cache of the device: {cache}")
}

/// As Cargo.lock has them.
fn versions() -> Vec<String> {
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(format!("{name} {}", rest.split_once('"')?.0))
    };
    let mut versions: Vec<String> =
        ["pitstop", "redb", "lmdb-master-sys", "heed", "fjall", "tempfile"]
            .into_iter()
            .filter_map(version)
            .collect();
    versions.insert(1, format!("SQLite {}", rusqlite::version()));
    versions
}
