//! What only JSON needs.

use std::time::SystemTime;

use jiff::Timestamp;
use pitstop::{Owner, WriterState};
use serde::{Serialize, Serializer};

/// A time as RFC 3339 has it, in UTC.
pub(crate) struct Time(pub(crate) SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Timestamp::try_from(self.0).unwrap_or_default())
    }
}

/// Whether a session has a writer.
#[derive(Default, Serialize)]
pub(crate) struct WriterJson<'a> {
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a Owner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
}

impl<'a> From<&'a WriterState> for WriterJson<'a> {
    fn from(writer: &'a WriterState) -> Self {
        match writer {
            WriterState::Idle => Self { state: "idle", ..Self::default() },
            WriterState::Live(owner) => {
                Self { state: "live", owner: owner.as_ref(), ..Self::default() }
            }
            WriterState::Interrupted(owner) => {
                Self { state: "interrupted", owner: Some(owner), ..Self::default() }
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
