//! One session as a single file, a tar archive. docs/format.md describes it.

mod export;
mod import;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::Format;
use crate::checkpoint::{CheckpointInfo, Digest, Digester, Labels};
use crate::copy::Outline;
use crate::error::{Damage, Error, Result};
use crate::files::DEEPEST;
use crate::id::SessionId;
use crate::revision::Revision;
pub use export::Exported;

const VERSION: u64 = 1;
/// The entries that are not the program's, in their order.
const HEAD: &str = "pitstop.json";
const FILES: &str = "files";
const FILES_END: &str = "files.json";
const CHECKPOINTS: &str = "checkpoints";
const END: &str = "end.json";
/// What is kept of a file's mode.
const OWNER_EXECUTES: u32 = 0o100;
/// The checkpoint of a session that keeps no numbers.
const NEWEST: &str = "newest";

/// What the first entry says.
#[derive(Serialize, Deserialize)]
struct Head {
    archive: u64,
    id: String,
    format: String,
    size_of_files: u64,
    /// The oldest first. Some may have been given up before they were written.
    checkpoints: Vec<Entry>,
}

/// What is known of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    saved: Timestamp,
    size: u64,
    digest: String,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
}

/// What stands behind the files: of the head and all of them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FilesEnd {
    entries: u64,
    digest: String,
}

/// What stands behind everything.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    checkpoints: u64,
}

impl Head {
    fn of(outline: &Outline) -> Self {
        Self {
            archive: VERSION,
            id: outline.id.to_string(),
            format: outline.format.map(|it| it.to_string()).unwrap_or_default(),
            size_of_files: outline.size_of_files,
            checkpoints: outline.revisions.iter().map(Entry::of).collect(),
        }
    }

    /// Says what is wrong with it, where it is not what an export writes.
    fn outline(self) -> Result<Outline> {
        if self.archive > VERSION {
            let path = PathBuf::from("the archive");
            return Err(Error::NewerFormat { path, version: self.archive });
        }
        let revisions: Option<Vec<_>> = self.checkpoints.into_iter().map(Entry::info).collect();
        let revisions = revisions.ok_or_else(|| damaged("a checkpoint in it is not described"))?;
        let numbers: Vec<_> = revisions.iter().map(|it| it.revision.number()).collect();
        let is_ordered = match numbers.as_slice() {
            [None] => true,
            some => some.is_sorted_by(|a, b| a.is_some() && a < b) && !some.contains(&None),
        };
        if !is_ordered {
            return Err(damaged("its checkpoints are in no order"));
        }
        let sizes = revisions.iter().try_fold(self.size_of_files, |a, b| a.checked_add(b.size));
        sizes.ok_or_else(|| damaged("it says that it is larger than anything"))?;
        Ok(Outline {
            id: SessionId::new(self.id)?,
            format: match self.format.as_str() {
                "plain" => Some(Format::Plain),
                "journal" => Some(Format::Journal),
                _ => None,
            },
            size_of_files: self.size_of_files,
            revisions,
        })
    }
}

impl Entry {
    fn of(info: &CheckpointInfo) -> Self {
        Self {
            revision: info.revision.number(),
            saved: Timestamp::try_from(info.saved).unwrap_or_default(),
            size: info.size,
            digest: info.digest.to_string(),
            labels: info.labels.clone(),
        }
    }

    fn info(self) -> Option<CheckpointInfo> {
        let digest = u128::from_str_radix(self.digest.strip_prefix("xxh3:")?, 16).ok()?;
        // A session counts on from there.
        let is_possible = |number: &u64| (1..u64::MAX / 2).contains(number);
        let revision = match self.revision {
            Some(number) => Revision::from_number(Some(number).filter(is_possible)?),
            None => Revision::from_identity(0),
        };
        Some(CheckpointInfo {
            revision,
            saved: SystemTime::try_from(self.saved).ok()?,
            size: self.size,
            digest: Digest::from_u128(digest),
            labels: self.labels,
        })
    }
}

/// The name of a checkpoint's entry.
fn checkpoint_name(info: &CheckpointInfo) -> String {
    match info.revision.number() {
        Some(number) => format!("{CHECKPOINTS}/{number}"),
        None => format!("{CHECKPOINTS}/{NEWEST}"),
    }
}

/// Makes the digest of the head, and of each file its kind, its path, and what it holds.
#[derive(Default)]
struct FilesDigest {
    entries: u64,
    digest: Digester,
}

impl FilesDigest {
    fn begin(&mut self, kind: tar::EntryType, path: &Path, size: u64) {
        self.entries += 1;
        self.digest.add(&[kind.as_byte()]);
        self.digest.add(path.as_os_str().as_bytes());
        self.digest.add(&[0]);
        self.digest.add(&size.to_le_bytes());
    }

    fn add(&mut self, bytes: &[u8]) {
        self.digest.add(bytes);
    }

    fn end(&self) -> FilesEnd {
        FilesEnd { entries: self.entries, digest: self.digest.digest().to_string() }
    }
}

/// A path as an archive has it: relative, of names alone. `None` if it is none, or could lead anywhere
/// else.
fn checked_path(bytes: &[u8]) -> Option<PathBuf> {
    let names: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').collect();
    let is_name = |name: &&[u8]| !matches!(*name, b"" | b"." | b"..") && !name.contains(&0);
    let is_good = names.len() <= DEEPEST && names.iter().all(is_name);
    is_good.then(|| names.into_iter().map(OsStr::from_bytes).collect())
}

fn damaged(problem: impl Into<String>) -> Error {
    Error::Corrupt {
        path: "the archive".into(),
        damage: Damage::Malformed(problem.into()),
        newest_good: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_one_another_make_a_path() {
        assert_eq!(checked_path(b"a/b c/..d").as_deref(), Some(Path::new("a/b c/..d")));
        let deep = vec!["a"; DEEPEST + 1].join("/");
        for bad in ["", "/a", "a/../b", "..", "a//b", "./a", "a/", "a\0b", &deep] {
            assert_eq!(checked_path(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
