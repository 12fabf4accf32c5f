//! What programs, PlainBox and killed saves leave in a session.

use pitstop::seam::open_on;
use pitstop::{Error, Format, Repository};

use super::Operation;
use crate::interrupt::{Interrupt, Interrupter};
use crate::payload::payload;
use crate::run::Run;
use crate::scenario::OWN_FILE;
use crate::step::Id;
use crate::world::World;

pub(crate) struct OwnFiles(pub Id);

impl Operation for OwnFiles {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.put_file(run.place(self.0).join(OWN_FILE), b"own");
        run.disk.sync_all();
        Ok(())
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).has_own_files = true;
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct UnflushedFile(pub Id);

impl Operation for UnflushedFile {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.put_file(run.place(self.0).join(OWN_FILE), b"own");
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct Unfinished(pub Id);

impl Operation for Unfinished {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let name = match run.format {
            Format::Journal => "session.journal.new",
            _ => "session.new",
        };
        run.disk.put_file(run.place(self.0).join(name), b"half of a checkp");
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct CutShort(pub Id, pub u32, pub usize);

impl Operation for CutShort {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let interrupter = Interrupter::default();
        let backend = open_on(interrupter.around(&run.disk), &run.location)?;
        let mut writer = Repository::with_backend(backend).get(self.0)?.writer()?;
        interrupter.arm(Some(Interrupt::KillInWrite { at: 0, written: self.2 }));
        drop(writer.save(&payload(self.1)));
        // So long ago that it lasts.
        run.disk.sync_all();
        run.restart()
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct Leftover(pub Id);

impl Operation for Leftover {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.put_file(run.place(self.0).join("session.next"), b"half of a checkp");
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

pub(crate) struct OldLeftover(pub Id);

impl Operation for OldLeftover {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.put_evidence(Some(self.0), run.place(self.0).join("session.next"));
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}
