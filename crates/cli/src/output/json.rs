//! What only JSON needs.

use std::time::SystemTime;

use jiff::Timestamp;
use pitstop::{Owner, WriterState};
use serde::{Serialize, Serializer};

use super::since;

/// A time as RFC 3339 has it, in UTC.
pub(crate) struct Time(pub(crate) SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Timestamp::try_from(self.0).unwrap_or_default())
    }
}

/// Who writes, or wrote.
#[derive(Serialize)]
pub(crate) struct OwnerJson<'a> {
    host: &'a str,
    boot_id: &'a str,
    pid: u32,
    start_time: u64,
    program: &'a str,
    since: Time,
}

impl<'a> From<&'a Owner> for OwnerJson<'a> {
    fn from(owner: &'a Owner) -> Self {
        let Owner { host, boot_id, pid, start_time, program, .. } = owner;
        let (pid, start_time, since) = (*pid, *start_time, Time(since(owner)));
        Self { host, boot_id, pid, start_time, program, since }
    }
}

/// Whether a session has a writer.
#[derive(Default, Serialize)]
pub(crate) struct WriterJson<'a> {
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
}

impl<'a> From<&'a WriterState> for WriterJson<'a> {
    fn from(writer: &'a WriterState) -> Self {
        match writer {
            WriterState::Idle => Self { state: "idle", ..Self::default() },
            WriterState::Live(owner) => Self {
                state: "live",
                owner: owner.as_ref().map(OwnerJson::from),
                ..Self::default()
            },
            WriterState::Interrupted(owner) => {
                Self { state: "interrupted", owner: Some(owner.into()), ..Self::default() }
            }
            WriterState::PlainBox { age, stale } => Self {
                state: "plainbox",
                unchanged_seconds: Some(age.as_secs()),
                stale: Some(*stale),
                ..Self::default()
            },
            _ => Self { state: "unknown", ..Self::default() },
        }
    }
}
