//! Checkpoints that are saved.

use pitstop::seam::save_in_pieces;
use pitstop::{
    CheckpointInfo, Digest, Error, Format, InvalidId, NameProblem, Retention, Revision,
    SaveOptions, Writer,
};

use super::{Operation, make_anew};
use crate::payload::{NOISE, STATE, payload};
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::{Presence, Replaced, World};

pub(crate) struct Save(pub Id, pub u32);
pub(crate) struct Stream(pub Id, pub u32);
pub(crate) struct Follow(pub Id, pub u32);
pub(crate) struct Restore(pub Id, pub u32);
pub(crate) struct Locked(pub Id, pub u32);
pub(crate) struct Contend(pub Id, pub u32);

/// What all of these have in common, whichever way they save.
trait Saving {
    fn what(&self) -> (Id, u32);
    fn save(&self, run: &mut Run) -> Result<(), Error>;

    /// The names of a replaced session, and what is damaged, may be where they were before the next save.
    fn puts_off_evidence(&self) -> bool {
        false
    }

    fn is_begun_again(&self) -> bool {
        true
    }
}

impl<T: Saving> Operation for T {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        self.save(run)
    }

    fn begin(&self, world: &mut World) {
        let (id, payload) = self.what();
        world.session(id).payloads.push(Some(payload));
        if let Some(Replaced { old, .. }) = world.replaces.get(id).copied() {
            if world.is_present(old) {
                world.session(old).presence = Presence::Maybe;
            }
            if !world.last.contains(&Some(id)) {
                world.last.push(Some(id));
            }
        }
    }

    fn acknowledge(&self, world: &mut World) {
        let (id, payload) = self.what();
        let session = world.session(id);
        session.presence = Presence::Sure;
        session.is_damaged = false;
        session.payloads = vec![Some(payload)];
        world.acknowledge_aside(Some(id));
        if let Some(Replaced { old, sure: true }) = world.replaces.get(id).copied() {
            world.replaces.remove(id);
            world.session(old).presence = Presence::Gone;
            world.last = vec![Some(id)];
        }
        world.resumable |= world.last == [Some(id)];
    }

    /// Taking the place of another session is put off to the next save then.
    fn acknowledge_in_spite(&self, world: &mut World) {
        let (id, payload) = self.what();
        if self.is_begun_again() && world.replaces.contains_key(id) {
            world.session(id).payloads = vec![Some(payload)];
            return;
        }
        let evidence = world.evidence.clone();
        self.acknowledge(world);
        if self.puts_off_evidence() {
            world.evidence = evidence;
        }
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        let (id, payload) = self.what();
        now.session(id).payloads = vec![Some(payload)];
        later.session(id).payloads.push(Some(payload));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        match self.is_begun_again() {
            true => make_anew(found, self.what().0),
            false => Vec::new(),
        }
    }
}

impl Saving for Save {
    fn what(&self) -> (Id, u32) {
        (self.0, self.1)
    }

    fn save(&self, run: &mut Run) -> Result<(), Error> {
        save(run, self.what(), SaveOptions::new(), Writer::save_with)
    }

    fn puts_off_evidence(&self) -> bool {
        true
    }
}

impl Saving for Stream {
    fn what(&self) -> (Id, u32) {
        (self.0, self.1)
    }

    fn save(&self, run: &mut Run) -> Result<(), Error> {
        save(run, self.what(), SaveOptions::new(), |writer, mut data, options| {
            save_in_pieces(writer, &mut data, options)
        })
    }
}

impl Saving for Follow {
    fn what(&self) -> (Id, u32) {
        (self.0, self.1)
    }

    fn save(&self, run: &mut Run) -> Result<(), Error> {
        let revision = match run.session(self.0)?.load() {
            Ok(checkpoint) => checkpoint.info.revision,
            Err(Error::NoCheckpoint { .. }) => Revision::NONE,
            Err(error) => return Err(error),
        };
        save(run, self.what(), SaveOptions::new().follows(revision), Writer::save_with)
    }
}

impl Saving for Restore {
    fn what(&self) -> (Id, u32) {
        (self.0, self.1)
    }

    fn save(&self, run: &mut Run) -> Result<(), Error> {
        let session = run.session(self.0)?;
        let mut history = session.history()?.revisions.into_iter().rev();
        let wanted = history.find(|it| it.info.digest == Digest::of(&payload(self.1)));
        let wanted = wanted.map_or(Revision::NONE, |it| it.info.revision);
        let info = session.restore(wanted)?;
        run.world.give(self.0, info.revision, self.1);
        Ok(())
    }

    fn is_begun_again(&self) -> bool {
        false
    }
}

impl Operation for Locked {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        match Save(self.0, self.1).perform(run) {
            Err(Error::Locked { .. }) => Ok(()),
            Ok(()) => Err(InvalidId::new(self.0, NameProblem::Empty).into()),
            Err(error) => Err(error),
        }
    }
}

impl Operation for Contend {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        match Follow(self.0, self.1).perform(run) {
            Err(Error::Locked { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).payloads.push(Some(self.1));
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        Follow(self.0, self.1).indeterminate(now, later);
    }
}

/// By the writer that is held, if there is one.
fn save(
    run: &mut Run,
    (id, number): (Id, u32),
    mut options: SaveOptions,
    save: fn(&mut Writer, &[u8], &SaveOptions) -> Result<CheckpointInfo, Error>,
) -> Result<(), Error> {
    if (NOISE..STATE).contains(&number) && run.format == Format::Journal {
        options = options.keep(Retention::Revisions(2));
    }
    let save = |writer: &mut Writer| save(writer, &payload(number), &options);
    let info = match run.writers.get_mut(id) {
        Some(writer) => save(writer)?,
        None => save(&mut run.session(id)?.writer()?)?,
    };
    run.world.give(id, info.revision, number);
    Ok(())
}
