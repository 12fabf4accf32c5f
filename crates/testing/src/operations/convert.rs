//! Sessions that change their format.

use pitstop::{Error, Format};

use super::Operation;
use crate::run::Run;
use crate::step::{Id, Step};
use crate::world::World;

pub(crate) struct Convert(pub Id, pub Format);

impl Operation for Convert {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.convert(self.1, true)
    }

    fn begin(&self, world: &mut World) {
        world.session(self.0).converted = Some((self.1, false));
    }

    fn acknowledge(&self, world: &mut World) {
        let session = world.session(self.0);
        session.converted = Some((self.1, true));
        // A journal begins with what there is.
        let newest = session.payloads.iter().flatten().next().copied();
        if let Some(payload) = newest.filter(|_| self.1 == Format::Journal) {
            session.given.insert(1, payload);
            session.told = 1;
        }
    }

    fn indeterminate(&self, now: &mut World, later: &mut World) {
        now.session(self.0).converted = Some((self.1, true));
        later.begin(Step::Convert(self.0, self.1));
    }

    /// It is of the format that it was, and what is left of the attempt is cleared away by the next.
    fn failed(&self, world: &mut World, format: Format) {
        world.session(self.0).converted.get_or_insert((format, true));
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::Convert(self.0, self.1)]
    }
}

pub(crate) struct HalfConverted(pub Id);

impl Operation for HalfConverted {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.disk.put_file(run.place(self.0).join("session.journal"), b"half of a checkp");
        run.disk.sync_all();
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}
