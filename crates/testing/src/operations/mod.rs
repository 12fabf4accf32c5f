//! The operations that the suites know: a file for each kind of them.
//!
//! A new one is a struct with an [`Operation`] in its file, and a row in the table of [`Step`].

pub(crate) mod convert;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod discard;
pub(crate) mod last;
pub(crate) mod left;
pub(crate) mod look;
pub(crate) mod remove;
pub(crate) mod repair;
pub(crate) mod save;
pub(crate) mod trash;
pub(crate) mod writer;

use pitstop::{Error, Format};

use super::run::Run;
use super::step::{Id, Step};
use super::world::World;

/// How something is done, what it may leave, and what must be found then.
pub(crate) trait Operation {
    /// Does it.
    fn perform(&self, run: &mut Run) -> Result<(), Error>;

    /// It begins: what it does may be found from now on.
    fn begin(&self, _world: &mut World) {}

    /// It returned `Ok`: what it does must be found from now on.
    fn acknowledge(&self, _world: &mut World) {}

    /// It returned `Ok`, though a call failed.
    fn acknowledge_in_spite(&self, world: &mut World) {
        self.acknowledge(world);
    }

    /// It returned `Indeterminate`: what must be found now, and after a power cut.
    fn indeterminate(&self, _now: &mut World, _later: &mut World) {}

    /// It returned another error, where sessions are of this format: what must be found now and later.
    fn failed(&self, _world: &mut World, _format: Format) {}

    /// What a program does next that finds this, after it was interrupted.
    fn resume(&self, _found: &World) -> Vec<Step> {
        Vec::new()
    }

    /// Whether it is not Pitstop that does it.
    fn is_by_others(&self) -> bool {
        false
    }
}

/// What a program does that wants a session which may be gone.
fn make_anew(found: &World, id: Id) -> Vec<Step> {
    match found.is_present(id) {
        true => Vec::new(),
        false => vec![Step::Sweep, Step::Create(id), Step::Save(id, 10)],
    }
}
