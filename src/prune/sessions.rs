use serde::{Serialize, Serializer};

use super::{Criteria, PruneOptions};
use crate::backend::{Problem, Status, Summary, Sweep, Trashed, Usage, WriterState};
use crate::error::{Error, Operation, Result};
use crate::id::SessionId;
use crate::repository::Repository;

/// What went, or would.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// The sessions that went, the newest first.
    #[serde(rename = "removed")]
    pub gone: Vec<Gone>,
    /// Those that meet the criteria and stay, the newest first, each with the reason.
    #[serde(rename = "skipped", serialize_with = "skipped_fields")]
    pub spared: Vec<(SessionId, Spared)>,
    /// Those that could not be read, which stay, and those that could not be removed.
    pub problems: Vec<Problem>,
    /// What killed processes had left, and what of all that could not be deleted.
    pub sweep: Sweep,
}

impl Pruned {
    /// What the sessions and leftovers that went take together. Those in the trash take it still.
    pub fn usage(&self) -> Usage {
        let leftovers = self.sweep.leftovers.iter().map(|it| it.usage);
        self.gone.iter().map(|it| it.usage).chain(leftovers).sum()
    }
}

/// A session that went.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Gone {
    /// How it stood.
    #[serde(flatten)]
    pub summary: Summary,
    /// What it took.
    #[serde(flatten)]
    pub usage: Usage,
    /// Where it is in the trash, if it went there.
    pub trashed: Option<Trashed>,
}

/// Why a session stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Spared {
    /// Somebody writes it, or PlainBox may.
    #[serde(rename = "in use")]
    InUse,
    /// It is the last session.
    Last,
    /// It was saved while this was under way.
    Changed,
}

impl Repository {
    /// Removes the sessions that meet every criterion, and [sweeps](Self::sweep) what killed processes left.
    /// Never one that somebody writes, nor the last session, nor one that cannot be read. They go to the
    /// [trash](Self::trash) unless they are to be deleted at once.
    ///
    /// # Durability
    /// Each goes as by [`Session::trash`](crate::Session::trash). After a crash some are gone.
    ///
    /// # Errors
    /// If the repository cannot be read. What is wrong with one session is in the result, and keeps no
    /// other from going.
    pub fn prune(&self, options: &PruneOptions) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        if !options.has_criterion() {
            return Ok(pruned);
        }
        let last = self.last()?.map(|session| session.id().clone());
        for (summary, usage) in self.chosen(options, &mut pruned)? {
            let id = summary.id.clone();
            let outcome = match (last.as_ref() == Some(&id), options.dry_run) {
                (true, _) => Ok(Err(Spared::Last)),
                (false, true) => self.would_go(&summary, usage),
                (false, false) => self.let_go(&summary, options, &mut pruned.sweep),
            };
            match outcome {
                Ok(Ok(gone)) => pruned.gone.push(gone),
                Ok(Err(spared)) => pruned.spared.push((id, spared)),
                Err(Error::Busy { .. } | Error::Locked { .. }) => {
                    pruned.spared.push((id, Spared::InUse));
                }
                // Somebody else removed it.
                Err(Error::NotFound { .. }) => (),
                Err(error) => {
                    pruned.problems.push(Problem { name: id.to_string(), id: Some(id), error });
                }
            }
        }
        let swept = self.sweep(options.dry_run)?;
        pruned.sweep.leftovers = swept.leftovers;
        pruned.sweep.remains.extend(swept.remains);
        Ok(pruned)
    }

    /// The sessions that meet every criterion, the newest first.
    fn chosen(
        &self,
        options: &PruneOptions,
        pruned: &mut Pruned,
    ) -> Result<Vec<(Summary, Option<Usage>)>> {
        let maintenance = self.maintenance(Operation::Usage)?;
        let listing = self.list_with(&options.listing)?;
        pruned.problems = listing.problems;
        let needs_usage = options.larger_than.is_some() || options.total.is_some();
        let mut criteria = Criteria::new(options);
        let mut chosen = Vec::new();
        for summary in listing.sessions {
            let usage = match needs_usage.then(|| maintenance.usage(&summary.id)).transpose() {
                Ok(usage) => usage,
                Err(Error::NotFound { .. }) => continue,
                Err(error) => {
                    let (name, id) = (summary.id.to_string(), Some(summary.id));
                    pruned.problems.push(Problem { name, id, error });
                    continue;
                }
            };
            if criteria.pick(summary.changed, usage.map_or(0, |it| it.bytes)) {
                chosen.push((summary, usage));
            }
        }
        Ok(chosen)
    }

    fn would_go(
        &self,
        summary: &Summary,
        usage: Option<Usage>,
    ) -> Result<std::result::Result<Gone, Spared>> {
        let Status { writer, .. } = self.backend.status(&summary.id)?;
        if matches!(writer, WriterState::Live(_) | WriterState::PlainBox { stale: false, .. }) {
            return Ok(Err(Spared::InUse));
        }
        let maintenance = self.maintenance(Operation::Usage)?;
        let usage = usage.map_or_else(|| maintenance.usage(&summary.id), Ok)?;
        Ok(Ok(Gone { summary: summary.clone(), usage, trashed: None }))
    }

    /// Into the trash in any case, where nobody can save in it: what it is then decides.
    fn let_go(
        &self,
        summary: &Summary,
        options: &PruneOptions,
        sweep: &mut Sweep,
    ) -> Result<std::result::Result<Gone, Spared>> {
        let maintenance = self.maintenance(Operation::Trash)?;
        let trashed = maintenance.trash(&summary.id)?;
        if trashed.summary.as_ref().is_none_or(|now| summary.was_changed(now)) {
            match maintenance.restore_trashed(&trashed, &trashed.id) {
                // One was made under its name meanwhile: it is kept in the trash.
                Err(Error::AlreadyExists { .. }) => {
                    let (summary, usage) = (summary.clone(), trashed.usage);
                    return Ok(Ok(Gone { summary, usage, trashed: Some(trashed) }));
                }
                outcome => outcome?,
            }
            return Ok(Err(Spared::Changed));
        }
        let (summary, usage) = (summary.clone(), trashed.usage);
        if options.permanently {
            sweep.remains.extend(maintenance.delete_trashed(&trashed)?.remains);
            return Ok(Ok(Gone { summary, usage, trashed: None }));
        }
        Ok(Ok(Gone { summary, usage, trashed: Some(trashed) }))
    }
}

/// A session that meets the criteria and stays.
#[derive(Serialize)]
struct SkippedFields<'a> {
    /// Its name.
    id: &'a SessionId,
    /// `in use`, `last` or `changed`.
    reason: Spared,
}

fn skipped_fields<S: Serializer>(
    skipped: &[(SessionId, Spared)],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(skipped.iter().map(|(id, reason)| SkippedFields { id, reason: *reason }))
}
