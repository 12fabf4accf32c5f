//! Makes calls of a repository, and records what they tell.

use std::collections::HashMap;
use std::time::SystemTime;

use pitstop::{
    Checkpoint, CreateOptions, Error, PruneOptions, Repository, Result, Revision, SaveOptions,
    Session, SessionId, Trashed, Writer,
};

use super::{Call, Item, Outcome, Payload, Recorder};

/// A client of a repository, which does one thing at a time.
#[derive(Debug)]
pub struct Client {
    number: usize,
    repository: Repository,
    recorder: Recorder,
    /// Whether a save says in a label which it is, so that histories tell it.
    labels: bool,
    /// The places that it holds, by the operation that took them.
    writers: HashMap<usize, Writer>,
}

/// What the save of this number saves: short ones, and now and then one that is more than a head can hold.
pub fn payload(number: Payload) -> Vec<u8> {
    let len = match number % 8 {
        0 => 70_000,
        1..3 => 3000,
        _ => 16,
    };
    number.to_le_bytes().into_iter().cycle().take(len + (number % 61) as usize).collect()
}

/// The number of the save that saved this, if one did.
pub fn payload_number(data: &[u8]) -> Option<Payload> {
    let number = Payload::from_le_bytes(data.get(..8)?.try_into().ok()?);
    (data == payload(number)).then_some(number)
}

/// By which a history tells whose payload a revision has.
const LABEL: &str = "payload";

impl Client {
    /// A client of this number.
    pub fn new(number: usize, repository: Repository, recorder: Recorder) -> Self {
        Self { number, repository, recorder, labels: true, writers: HashMap::new() }
    }

    /// Saves without labels, where sessions keep none.
    pub fn without_labels(self) -> Self {
        Self { labels: false, ..self }
    }

    /// Makes a call, and records it with its answer. Returns its index in the history, and what was told.
    pub fn call(&mut self, call: Call) -> (usize, Outcome) {
        let index = self.recorder.begin(self.number, &call);
        let outcome = self.outcome(index, &call).unwrap_or_else(|error| told(&error));
        self.recorder.end(index, &outcome);
        (index, outcome)
    }

    /// Whether it was killed.
    pub fn is_dead(&self) -> bool {
        self.recorder.is_dead(self.number)
    }

    /// What is in the trash, as a look without a record tells it.
    pub fn items(&self) -> Vec<Item> {
        self.repository
            .trash()
            .map_or_else(|_| Vec::new(), |trash| trash.iter().map(item).collect())
    }

    fn outcome(&mut self, index: usize, call: &Call) -> Result<Outcome> {
        let session = |name: &str| Ok::<Session, Error>(self.repository.session(id(name)?));
        Ok(match call {
            Call::Create { name } => {
                self.repository.create(&CreateOptions::new().id(id(name)?))?;
                Outcome::Done
            }
            Call::Save { name, payload: number, follows } => {
                let options = self.options(*number, *follows);
                saved(session(name)?.save_with(&payload(*number), &options)?.revision)
            }
            Call::Acquire { name } => {
                let writer = session(name)?.writer()?;
                self.writers.insert(index, writer);
                Outcome::Done
            }
            Call::Write { place, payload: number, follows } => {
                let options = self.options(*number, *follows);
                let Some(writer) = self.writers.get_mut(place) else { return Ok(Outcome::Failed) };
                saved(writer.save_with(&payload(*number), &options)?.revision)
            }
            Call::Release { place } => {
                drop(self.writers.remove(place));
                Outcome::Unknown
            }
            Call::Load { name } => loaded(&session(name)?.load()?),
            Call::History { name } => {
                let history = session(name)?.history()?;
                match history.damaged.is_empty() {
                    true => Outcome::Kept(history.revisions.iter().map(kept).collect()),
                    false => Outcome::Wrong(format!("{history:?}")),
                }
            }
            Call::Prune { name } => {
                session(name)?.prune(&PruneOptions::new().keep(1))?;
                Outcome::Done
            }
            Call::Remove { name } => {
                session(name)?.remove()?;
                Outcome::Done
            }
            Call::Trash { name } => Outcome::Trashed(item(&session(name)?.trash()?)),
            Call::ListTrash => Outcome::Items(self.repository.trash()?.iter().map(item).collect()),
            Call::Restore { item, name } => match self.trashed(item)? {
                Some(trashed) => {
                    self.repository.restore_from_trash(&trashed, &id(name)?)?;
                    Outcome::Done
                }
                None => Outcome::Failed,
            },
            Call::Delete { item } => match self.trashed(item)? {
                Some(trashed) => {
                    self.repository.delete_from_trash(&trashed)?;
                    Outcome::Done
                }
                None => Outcome::Failed,
            },
            Call::Sweep => {
                self.repository.sweep(false)?;
                Outcome::Done
            }
        })
    }

    fn options(&self, number: Payload, follows: Option<u64>) -> SaveOptions {
        let options = match self.labels {
            true => SaveOptions::new().label(LABEL, number.to_string()),
            false => SaveOptions::new(),
        };
        match follows {
            Some(follows) => options.follows(Revision::from_number(follows)),
            None => options,
        }
    }

    /// What a listing of the trash says of an item; `None` if it is not there, or may not be.
    fn trashed(&self, wanted: &Item) -> Result<Option<Trashed>> {
        Ok(self.repository.trash()?.into_iter().find(|it| item(it) == *wanted))
    }
}

fn id(name: &str) -> Result<SessionId> {
    Ok(SessionId::new(name)?)
}

fn saved(revision: Revision) -> Outcome {
    Outcome::Saved(revision.number().unwrap_or(0))
}

fn loaded(checkpoint: &Checkpoint) -> Outcome {
    match payload_number(&checkpoint.data) {
        Some(payload) => {
            Outcome::Loaded { revision: checkpoint.info.revision.number().unwrap_or(0), payload }
        }
        None => Outcome::Wrong(format!("nobody saved what was loaded: {:?}", checkpoint.info)),
    }
}

fn kept(kept: &pitstop::Kept) -> (u64, Payload) {
    let payload = kept.info.labels.get(LABEL).and_then(|it| it.parse().ok());
    (kept.info.revision.number().unwrap_or(0), payload.unwrap_or(Payload::MAX))
}

fn item(trashed: &Trashed) -> Item {
    let removed = trashed.removed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Item { name: trashed.id.to_string(), removed: removed.as_nanos() }
}

fn told(error: &Error) -> Outcome {
    match error {
        Error::Conflict { found, .. } => Outcome::Conflict { found: found.number().unwrap_or(0) },
        Error::NotFound { .. } => Outcome::NotFound,
        Error::AlreadyExists { .. } => Outcome::AlreadyExists,
        Error::Busy { .. } => Outcome::Busy,
        Error::NoCheckpoint { .. } => Outcome::Empty,
        Error::Indeterminate { .. } => Outcome::Unknown,
        Error::Storage { .. } | Error::Unsupported { .. } => Outcome::Failed,
        other => Outcome::Wrong(format!("{other:?}")),
    }
}
