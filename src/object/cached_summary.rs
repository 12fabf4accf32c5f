//! What a listing tells of a session, once its head was read.

use serde::{Deserialize, Serialize};

use super::format::head::{Head, Time};
use super::lease::{HolderState, Lease};
use crate::backend::{Format, Summary, WriterState};
use crate::checkpoint::Labels;
use crate::id::SessionId;
use crate::program::{ProgramState, WriterRecord};
use crate::sys::Machine;

/// That, as it is kept in the [cache](super::cache).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CachedSummary {
    created: Time,
    /// When the newest checkpoint was saved, and its size; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<(Time, u64)>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    writer: Option<Lease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<WriterRecord>,
}

impl CachedSummary {
    pub(super) fn of(head: &Head) -> Self {
        let newest = head.newest();
        Self {
            created: head.created,
            newest: newest.map(|it| (it.saved, it.size)),
            labels: newest.map(|it| it.labels.clone()).unwrap_or_default(),
            writer: head.writer.clone(),
            ended: head.ended.clone(),
        }
    }

    /// The state of the writer. One that is not known to be gone is taken to live.
    pub(super) fn writer_state(&self, here: &Machine) -> WriterState {
        match (&self.writer, &self.ended) {
            (Some(lease), _) => match lease.holder_state(here) {
                HolderState::Dead => WriterState::Interrupted(lease.owner.clone()),
                HolderState::Alive | HolderState::Unknown => {
                    WriterState::Live(Some(lease.owner.clone()))
                }
            },
            (None, Some(record)) => record.clone().into(),
            (None, None) => WriterState::Idle,
        }
    }

    /// The summary of a session in the trash, which has no writer.
    pub(super) fn trashed(&self, id: &SessionId) -> Summary {
        let state = self.ended.clone().map_or(WriterState::Idle, WriterState::from);
        self.summary(id, state.program())
    }

    pub(super) fn summary(&self, id: &SessionId, state: ProgramState) -> Summary {
        let saved = self.newest.map(|(saved, _)| saved.into());
        Summary {
            id: id.clone(),
            saved,
            size: self.newest.map(|(_, size)| size),
            labels: Some(self.labels.clone()),
            changed: saved.unwrap_or(self.created.into()),
            format: Format::Object,
            live: state == ProgramState::Running,
            state: Some(state),
            version: None,
        }
    }
}
