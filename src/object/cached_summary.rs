//! A session's summary, as the listing cache stores it.

use serde::{Deserialize, Serialize};

use super::format::head::Head;
use super::format::time::Time;
use super::lease::{HolderState, Lease};
use crate::backend::{Format, Status, Summary, WriterState};
use crate::checkpoint::Labels;
use crate::id::SessionId;
use crate::sys::Machine;

/// What a listing tells of a session, once its head was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CachedSummary {
    created: Time,
    /// When the newest checkpoint was saved, and its size; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<(Time, u64)>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    #[serde(default, rename = "writer", skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
}

impl CachedSummary {
    pub(super) fn of(head: &Head) -> Self {
        let newest = head.newest();
        Self {
            created: head.created,
            newest: newest.map(|it| (it.saved, it.size)),
            labels: newest.map(|it| it.labels.clone()).unwrap_or_default(),
            lease: head.lease.clone(),
        }
    }

    /// Whether somebody holds the lease who is not known to be gone.
    pub(super) fn is_live(&self, here: &Machine) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.holder_state(here) != HolderState::Dead)
    }

    pub(super) fn status(&self, id: &SessionId, here: &Machine) -> Status {
        let is_live = self.is_live(here);
        let writer = match &self.lease {
            None => WriterState::Idle,
            Some(lease) if is_live => WriterState::Live(Some(lease.owner.clone())),
            Some(lease) => WriterState::Interrupted(lease.owner.clone()),
        };
        Status { summary: self.summary(id, is_live), created: Some(self.created.into()), writer }
    }

    pub(super) fn summary(&self, id: &SessionId, live: bool) -> Summary {
        let saved = self.newest.map(|(saved, _)| saved.into());
        Summary {
            id: id.clone(),
            saved,
            size: self.newest.map(|(_, size)| size),
            labels: Some(self.labels.clone()),
            changed: saved.unwrap_or(self.created.into()),
            format: Format::Object,
            live,
            version: None,
        }
    }
}
