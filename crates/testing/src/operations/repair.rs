//! Damage, and what mends it.

use pitstop::Error;

use super::Operation;
use crate::run::Run;
use crate::step::Id;
use crate::world::World;

pub(crate) struct Repair(pub Id);

impl Operation for Repair {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.repair().map(drop)
    }

    fn acknowledge(&self, world: &mut World) {
        world.session(self.0).is_damaged = false;
        world.acknowledge_aside(Some(self.0));
    }
}

pub(crate) struct Misplace(pub Id);

impl Operation for Misplace {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.put_evidence(Some(self.0), run.place(self.0).join("session.replaces"));
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).is_damaged = true;
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

/// What may be lost of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Harm {
    /// The first block of a segment, of whose header there is a copy.
    FirstBlock,
    /// The header of a segment with all its copies, and so all in it.
    Header,
    /// The end of a segment, and so the newest record in it.
    End,
    /// The file that says that there is a journal.
    Mark,
}

pub(crate) struct Damage(pub Id, pub Harm);

impl Operation for Damage {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let segment = run.place(self.0).join("session.journal-0");
        let mut bytes = run.disk.read(&segment).unwrap_or_default();
        match self.1 {
            Harm::FirstBlock => {
                bytes[..4096].fill(0);
                run.disk.put_file(&segment, &bytes);
            }
            // The last copy is behind the first record, which is of one block.
            Harm::Header => {
                bytes.iter_mut().take(2 * 4096).for_each(|byte| *byte = 0);
                run.disk.put_file(&segment, &bytes);
                run.keep_evidence(Some(self.0), &segment);
            }
            Harm::End => run.disk.put_file(&segment, &bytes[..3 * 4096 - 100]),
            Harm::Mark => run.disk.delete(run.place(self.0).join("session.journal")),
        }
        run.disk.sync_all();
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        // Nothing is lost by these.
        if !matches!(self.1, Harm::FirstBlock | Harm::Mark) {
            world.session(self.0).is_damaged = true;
        }
    }

    fn is_by_others(&self) -> bool {
        true
    }
}
