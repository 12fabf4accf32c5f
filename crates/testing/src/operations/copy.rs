//! Sessions that are made of others.

use std::io;
use std::path::Path;

use pitstop::{Copied, CopyOptions, CreateOptions, Error, Format, SessionId};

use super::Operation;
use crate::crash::plain;
use crate::payload::payload;
use crate::run::{Run, open};
use crate::scenario::{COPIED, OWN_FILE, OWN_LINK, SOURCE};
use crate::step::{Id, Step};
use crate::world::{Presence, World};

pub(crate) struct Fork(pub Id, pub Id);

impl Operation for Fork {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let options = CreateOptions::new().id(SessionId::new(self.1)?);
        run.session(self.0)?.fork(None, &options).map(drop)
    }

    fn begin(&self, world: &mut World) {
        let payloads = world.session(self.0).payloads.clone();
        world.begin_create(self.1);
        world.session(self.1).payloads.extend(payloads);
    }

    fn acknowledge(&self, world: &mut World) {
        let from = world.session(self.0).clone();
        world.acknowledge_create(self.1);
        let session = world.session(self.1);
        session.given.extend(from.payloads.iter().flatten().map(|payload| (1, *payload)));
        session.told = 1;
        session.payloads = from.payloads;
        session.has_own_files = from.has_own_files;
    }

    fn resume(&self, found: &World) -> Vec<Step> {
        match found.is_present(self.1) {
            true => Vec::new(),
            false => vec![Step::Fork(self.0, self.1), Step::Save(self.1, 10)],
        }
    }
}

pub(crate) struct Copy(pub Id);

impl Operation for Copy {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let source = open(&run.disk, &run.wrap, Path::new(SOURCE), run.format)?;
        let options = CopyOptions::new().format(run.format);
        let copied = source.get(self.0)?.copy_to(&run.repository, options)?;
        is_copied(run, self.0, &copied)
    }

    fn begin(&self, world: &mut World) {
        begin_copy(world, self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        acknowledge_copy(world, self.0);
    }

    /// It goes on where it ended.
    fn indeterminate(&self, now: &mut World, later: &mut World) {
        now.begin(Step::Copy(self.0));
        later.begin(Step::Copy(self.0));
    }

    fn failed(&self, world: &mut World, _: Format) {
        world.begin(Step::Copy(self.0));
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::Copy(self.0), Step::Save(self.0, 10)]
    }
}

pub(crate) struct Import(pub Id);

impl Operation for Import {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let source = open(&run.disk, &plain(), Path::new(SOURCE), Format::Journal)?;
        let mut archive = Vec::new();
        source.get(self.0)?.export(&mut archive, |_| ())?;
        let options = CopyOptions::new().format(run.format);
        let copied = run.repository.import(archive.as_slice(), options)?;
        is_copied(run, self.0, &copied)
    }

    fn begin(&self, world: &mut World) {
        begin_copy(world, self.0);
    }

    fn acknowledge(&self, world: &mut World) {
        acknowledge_copy(world, self.0);
    }

    fn resume(&self, _: &World) -> Vec<Step> {
        vec![Step::Import(self.0), Step::Save(self.0, 10)]
    }
}

pub(crate) struct Export(pub Id);

impl Operation for Export {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        run.session(self.0)?.export(io::sink(), |_| ()).map(drop)
    }
}

pub(crate) struct Source(pub Id);

impl Operation for Source {
    fn perform(&self, run: &mut Run) -> Result<(), Error> {
        let source = open(&run.disk, &plain(), Path::new(SOURCE), Format::Journal)?;
        let session = source.get_or_create(self.0)?;
        for (number, of) in COPIED {
            let options = pitstop::seam::numbered(number);
            session.save_with(&payload(of), &options.label("step", of.to_string()))?;
        }
        let directory = Path::new(SOURCE).join(format!("{}.session", self.0));
        run.disk.put_file(directory.join(OWN_FILE), b"own");
        run.disk.put_link(directory.join(OWN_LINK.0), OWN_LINK.1);
        run.disk.sync_all();
        Ok(())
    }

    fn is_by_others(&self) -> bool {
        true
    }
}

fn is_copied(run: &mut Run, id: Id, copied: &Copied) -> Result<(), Error> {
    if copied.without_history == 0 {
        run.world.copied(id);
    }
    match copied.passed_over.is_empty() && copied.damaged.is_empty() {
        true => Ok(()),
        false => Err(Error::NoCheckpoint { id: copied.session.id().clone() }),
    }
}

fn begin_copy(world: &mut World, id: Id) {
    if !world.is_present(id) {
        world.begin_create(id);
    }
    let session = world.session(id);
    session.payloads.extend(COPIED.map(|(_, payload)| Some(payload)));
    session.own_files_come_with = COPIED.last().map(|(_, payload)| *payload);
}

fn acknowledge_copy(world: &mut World, id: Id) {
    let session = world.session(id);
    session.presence = Presence::Sure;
    session.payloads = COPIED.last().map(|(_, payload)| Some(*payload)).into_iter().collect();
    session.has_own_files = true;
}
