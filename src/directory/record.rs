//! The record in `session.writer`: who writes, or wrote when it was killed. It is for people; only where kernel
//! locks are not shared does it also keep a second writer away.
//!
//! While somebody cares for a session without saving in it, the record of the writer before stands behind its
//! own: so that a job was killed is not forgotten.

use serde::{Deserialize, Serialize};

use crate::backend::WriterState;
use crate::owner::Owner;
use crate::program::{ProgramEnd, WriterRecord};
use crate::sys::{Disk, File, Outcome, current_owner};

const LONGEST: u64 = 64 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    record: WriterRecord,
    /// The inode of the file that it was written into: in a copy it says nothing.
    #[serde(default)]
    file: u64,
}

/// What a file of records holds.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Whose it is while the file is locked.
    pub(super) holder: Option<Record>,
    /// Who wrote last, and did not end in order or said how its program did.
    pub(super) left: Option<Record>,
    /// The length of it all.
    pub(super) len: u64,
}

impl Records {
    /// A record that is half written, or none that we know, is no record.
    pub(super) fn read(file: &File) -> Outcome<Self> {
        let len = file.metadata()?.size;
        if len > LONGEST {
            return Ok(Self { len, ..Self::default() });
        }
        let bytes = match file.read(len) {
            // It was emptied under our eyes.
            Err(failure) if failure.kind() == std::io::ErrorKind::UnexpectedEof => Vec::new(),
            outcome => outcome?,
        };
        let records = serde_json::Deserializer::from_slice(&bytes).into_iter::<Option<Record>>();
        let records: Vec<_> = records.map_while(Result::ok).collect();
        let (holder, left) =
            (records.first().cloned().flatten(), records.last().cloned().flatten());
        Ok(Self { holder, left, len })
    }
}

impl Record {
    /// That of this process, for this file.
    pub(super) fn current(file: &File, ended: Option<ProgramEnd>) -> Outcome<Self> {
        let record = WriterRecord { owner: current_owner(), ended };
        Ok(Self { record, file: file.metadata()?.inode })
    }

    /// Whether its writer ended in order, and said how its program did.
    pub(super) fn is_ended(&self) -> bool {
        self.record.ended.is_some()
    }

    /// Whether it is a writer that can be seen to live, and wrote it into this very file.
    pub(super) fn is_seen(&self, file: &File, disk: &dyn Disk) -> Outcome<bool> {
        let is_here = !self.is_ended() && self.file == file.metadata()?.inode;
        Ok(is_here && disk.sees(&self.record.owner))
    }

    pub(super) fn into_owner(self) -> Owner {
        self.record.owner
    }

    /// The state of a session that has this record and no live writer.
    pub(super) fn into_state(self) -> WriterState {
        self.record.into()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
