//! What a listing tells of a session, once its head was read.

use serde::{Deserialize, Serialize};

use super::format::head::{Head, Time};
use super::lease::{HolderState, Lease};
use crate::backend::{Format, Summary};
use crate::checkpoint::Labels;
use crate::id::SessionId;
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
}

impl CachedSummary {
    pub(super) fn of(head: &Head) -> Self {
        let newest = head.newest();
        Self {
            created: head.created,
            newest: newest.map(|it| (it.saved, it.size)),
            labels: newest.map(|it| it.labels.clone()).unwrap_or_default(),
            writer: head.writer.clone(),
        }
    }

    /// Whether somebody has the place of the writer who is not known to be gone.
    pub(super) fn is_live(&self, here: &Machine) -> bool {
        self.writer.as_ref().is_some_and(|place| place.holder_state(here) != HolderState::Dead)
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
