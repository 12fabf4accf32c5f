//! The last session.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Inner;
use super::format::changes::{Changes, IN_HEAD, Trace};
use super::format::keys::{self, LAST};
use super::format::nonce::Nonce;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::Object;
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;

#[derive(Default, Serialize, Deserialize)]
struct Last {
    /// None if what named it was damaged, and moved aside.
    id: Option<String>,
    nonce: Nonce,
    #[serde(default)]
    changes: Changes,
}

impl Inner {
    /// What was made the last session, whether or not it is still there.
    pub(super) fn last(&self) -> Result<Option<SessionId>> {
        let last = self.read_last(self.store.get(LAST)?.as_ref())?;
        Ok(last.id.map(SessionId::new).transpose()?)
    }

    pub(super) fn set_last(&self, id: &SessionId) -> Result<()> {
        self.put_last(Some(id))
    }

    /// Moves aside what should name the last session, if it is damaged. Then none is the last.
    pub(super) fn repair_last(&self) -> Result<()> {
        match self.last() {
            Err(Error::Corrupt { .. }) => self.put_last(None),
            outcome => outcome.map(drop),
        }
    }

    fn put_last(&self, id: Option<&SessionId>) -> Result<()> {
        self.probe()?;
        let request = Nonce::fresh();
        loop {
            let there = self.store.get(LAST)?;
            let changes = match (self.read_last(there.as_ref()), &there) {
                (Err(Error::Corrupt { .. }), Some(damaged)) => {
                    let now = SystemTime::now().into();
                    self.put_new(&keys::last_aside(now, Nonce::fresh()), &damaged.bytes)?;
                    Changes::lost(now)
                }
                (last, _) => last?.changes,
            };
            let changes = changes.with(request, IN_HEAD);
            let change = changes.newest();
            let next = Last { id: id.map(SessionId::to_string), nonce: Nonce::fresh(), changes };
            let bytes = serde_json::to_vec(&next).unwrap_or_default().into();
            let expected = there.map_or(Expected::Nothing, |it| Expected::Version(it.version));
            let put = self.store.compare_and_put(LAST, &expected, &bytes, |there| {
                let there = self.read_last(there)?.changes;
                Ok(change.map_or(Trace::NotMade, |change| there.trace(change)))
            });
            if !matches!(put?, CasOutcome::Rejected(_)) {
                return Ok(());
            }
        }
    }

    fn read_last(&self, there: Option<&Object>) -> Result<Last> {
        let Some(there) = there else { return Ok(Last::default()) };
        let last: Option<Last> = serde_json::from_slice(&there.bytes).ok();
        let names_one = |last: &Last| last.id.clone().is_none_or(|id| SessionId::new(id).is_ok());
        last.filter(names_one).ok_or_else(|| self.corrupt(LAST, Damage::ForeignName, None))
    }
}
