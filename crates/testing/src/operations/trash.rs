//! The trash, and what killed removals leave.

use pitstop::{Error, SessionId, Trashed};

use super::Operation;
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::{Presence, World};

pub(crate) struct Trash(pub Id);

impl Operation for Trash {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.trash().map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.begin_removal(self.0);
        world.session(self.0).in_trash = Presence::Maybe;
    }

    fn acknowledge(&self, world: &mut World) {
        let session = world.session(self.0);
        (session.presence, session.in_trash) = (Presence::Gone, Presence::Sure);
        world.last.retain(|last| *last != Some(self.0));
    }

    /// It was taken back, and that may not last.
    fn indeterminate(&self, _: &mut World, later: &mut World) {
        later.begin(Step::Trash(self.0));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        let again = found.is_present(self.0).then_some(Step::Trash(self.0));
        go_on(found, self.0, again)
    }
}

pub(crate) struct PutBack(pub Id);

impl Operation for PutBack {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let trashed = trashed(run, self.0)?;
        run.repository.restore_from_trash(&trashed, &trashed.id).map(drop)
    }

    fn begin(&self, world: &mut World) {
        let session = world.session(self.0);
        (session.presence, session.in_trash) = (Presence::Maybe, Presence::Maybe);
        world.revive_last(self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        let session = world.session(self.0);
        (session.presence, session.in_trash) = (Presence::Sure, Presence::Gone);
        if world.removed_last == Some(self.0) {
            world.last = vec![Some(self.0)];
        }
    }

    fn indeterminate(&self, _: &mut World, later: &mut World) {
        later.begin(Step::PutBack(self.0));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        go_on(found, self.0, None)
    }
}

pub(crate) struct EmptyTrash(pub Id);

impl Operation for EmptyTrash {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let trashed = trashed(run, self.0)?;
        run.repository.delete_from_trash(&trashed).map(drop)
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).in_trash = Presence::Maybe;
    }

    fn acknowledge(&self, world: &mut World) {
        world.session(self.0).in_trash = Presence::Gone;
    }

    fn indeterminate(&self, _: &mut World, later: &mut World) {
        later.begin(Step::EmptyTrash(self.0));
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        go_on(found, self.0, None)
    }
}

pub(crate) struct Sweep;

impl Operation for Sweep {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.repository.sweep(false).map(drop)
    }
}

pub(crate) struct Debris(pub Id);

impl Operation for Debris {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let place = |name: &str| run.location.join(format!(".{}.{name}", self.0));
        for name in ["session.writer", "session.journal", "own/file"] {
            run.disk.put_file(place("removed").join(name), b"");
        }
        run.disk.put_file(place("new-0123456789abcdef/session.journal"), b"");
        run.disk.put_link(place("last"), run.place(self.0));
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

fn trashed(run: &Run, id: Id) -> Result<Trashed, Error> {
    let found = run.repository.trash()?.into_iter().find(|it| it.id.as_str() == id);
    let not_found = |id| Error::NotFound { id, repository: run.location.clone() };
    found.ok_or(not_found(SessionId::new(id)?))
}

/// What is in the trash is put back, and all is cleared up.
fn go_on(found: &World, id: Id, again: Option<Step>) -> Vec<Step> {
    let in_trash = found.sessions[id].in_trash == Presence::Sure;
    let back = [Step::PutBack(id), Step::Save(id, 10)];
    let back = (in_trash || again.is_some()).then_some(back).into_iter().flatten();
    again.into_iter().chain(back).chain([Step::Sweep]).collect()
}
