//! Deleting and moving aside what a commit has made useless.

use super::tail::Tail;
use super::writer::Writer;
use crate::backend::GivenUp;
use crate::directory::aside::move_aside;
use crate::directory::{names, usage};
use crate::sys::{Outcome, found};

impl Writer {
    /// Deletes the files in which nothing is kept, as the newest commit says.
    pub(super) fn delete_free(&self, tail: &mut Tail) -> Outcome<GivenUp> {
        let session = &self.fence.session;
        let mut given_up = GivenUp::default();
        let Some(first) = tail.first_needed() else { return Ok(given_up) };
        for (name, _) in session.entries()? {
            let Some(name) = name.to_str().filter(|it| !tail.damaged.iter().any(|name| name == it))
            else {
                continue;
            };
            if names::segment_number(name).is_none_or(|number| number >= first) {
                continue;
            }
            let deleted = session.metadata(name).and_then(|file| {
                found(session.remove_file(name))?;
                Ok(file.map(|file| usage::of(&file)).unwrap_or_default())
            });
            match deleted {
                Ok(usage) => given_up.usage += usage,
                Err(failure) => given_up.remains.push(failure.into()),
            }
        }
        tail.cleared = first;
        Ok(given_up)
    }

    /// Deletes and moves aside what the newest commit has made useless. What goes wrong here is done again later.
    pub(super) fn clear_up(&self, tail: &mut Tail) {
        let session = &self.fence.session;
        if let Err(failure) = self.delete_free(tail) {
            tracing::debug!(error = %failure.source, "free rings could not be listed");
        }
        while let Some(name) = tail.damaged.last() {
            match move_aside(session, name, names::SEGMENT_ASIDE) {
                Ok(place) => {
                    tracing::warn!(kept = %place.display(), "a file of the journal is damaged");
                }
                Err(failure) => {
                    tracing::warn!(error = %failure.source, "a damaged file could not be moved aside");
                    break;
                }
            }
            tail.damaged.pop();
        }
    }
}
