//! A program that goes through the steps of a scenario.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::crash::plain;
use super::disk::SimulatedDisk;
use super::hook::{Action, HookedDisk};
use super::interrupt::{Interrupt, Interrupter};
use super::payload::{NOISE, STATE, payload};
use super::scenario::{COPIED, Meanwhile, NEAR, OUTSIDE, OWN_FILE, OWN_LINK, SOURCE, Scenario};
use super::step::{Harm, Id, Step};
use super::world::World;
use pitstop::seam::{Disk, open_on};
use pitstop::{
    CheckpointInfo, Copied, CopyOptions, CreateOptions, Digest, Error, Format, InvalidId,
    NameProblem, PruneOptions, Repository, Retention, Revision, SaveOptions, Session, SessionId,
    Trashed, Writer,
};

/// Puts something between the library and the disk.
pub(crate) type Wrap = Arc<dyn Fn(SimulatedDisk) -> Arc<dyn Disk> + Send + Sync>;

/// A program at work, and what it was promised.
pub(crate) struct Run {
    pub disk: SimulatedDisk,
    wrap: Wrap,
    pub(super) location: PathBuf,
    pub(super) format: Format,
    pub(super) repository: Repository,
    writers: BTreeMap<Id, Writer>,
    pub world: World,
    /// What was promised at each mark of the disk.
    pub worlds: Vec<World>,
}

impl Run {
    /// A program that finds this disk.
    pub(crate) fn on(
        disk: SimulatedDisk,
        wrap: &Wrap,
        scenario: &Scenario,
        world: World,
    ) -> Result<Self, Error> {
        let (location, format) = (PathBuf::from(scenario.location), scenario.format);
        let repository = open(&disk, wrap, &location, format)?;
        let (wrap, writers, worlds) = (wrap.clone(), BTreeMap::new(), vec![world.clone()]);
        Ok(Self { disk, wrap, location, format, repository, writers, world, worlds })
    }

    /// A program that is about to begin with a scenario's steps.
    pub(crate) fn of(scenario: &Scenario, wrap: &Wrap) -> Result<Self, Error> {
        let disk = SimulatedDisk::new();
        disk.set_traits(scenario.traits);
        disk.put_directory("/home/user");
        disk.put_file(format!("{OUTSIDE}/a.session/session"), b"outside");
        disk.put_file(format!("{OUTSIDE}/file"), b"outside");
        disk.put_link(format!("{OUTSIDE}/link"), NEAR);
        disk.sync_all();
        let wrap = between(wrap, scenario.meanwhile);
        let mut run = Self::on(disk, &wrap, scenario, World::default())?;
        for step in &scenario.given {
            run.step(*step)?;
        }
        Ok(run)
    }

    fn promise(&mut self) {
        self.worlds.push(self.world.clone());
        self.disk.mark(self.worlds.len() - 1);
    }

    pub(crate) fn step(&mut self, step: Step) -> Result<(), Error> {
        self.world.begin(step);
        self.promise();
        self.perform(step)?;
        self.world.acknowledge();
        self.promise();
        Ok(())
    }

    /// What the next of its calls finds is found by a new program.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.writers.clear();
        self.repository = open(&self.disk, &self.wrap, &self.location, self.format)?;
        Ok(())
    }

    pub(super) fn session(&self, id: Id) -> Result<Session, Error> {
        self.repository.get(id)
    }

    fn copied(&mut self, id: Id, copied: &Copied) -> Result<(), Error> {
        if copied.without_history == 0 {
            self.world.copied(id);
        }
        match copied.passed_over.is_empty() && copied.damaged.is_empty() {
            true => Ok(()),
            false => Err(Error::NoCheckpoint { id: copied.session.id().clone() }),
        }
    }

    pub(super) fn place(&self, id: Id) -> PathBuf {
        self.location.join(format!("{id}.session"))
    }

    fn trashed(&self, id: Id) -> Result<Trashed, Error> {
        let found = self.repository.trash()?.into_iter().find(|it| it.id.as_str() == id);
        let not_found = |id| Error::NotFound { id, repository: self.location.clone() };
        found.ok_or(not_found(SessionId::new(id)?))
    }

    fn save(
        &mut self,
        id: Id,
        number: u32,
        mut options: SaveOptions,
        save: fn(&mut Writer, &[u8], &SaveOptions) -> Result<CheckpointInfo, Error>,
    ) -> Result<(), Error> {
        if (NOISE..STATE).contains(&number) && self.format == Format::Journal {
            options = options.keep(Retention::Revisions(2));
        }
        let save = |writer: &mut Writer| save(writer, &payload(number), &options);
        let info = match self.writers.get_mut(id) {
            Some(writer) => save(writer)?,
            None => save(&mut self.session(id)?.writer()?)?,
        };
        self.world.give(id, info.revision, number);
        Ok(())
    }

    /// Puts a file where it does not belong, unlike any other.
    fn put_evidence(&mut self, of: Option<Id>, path: PathBuf) {
        let content = format!("evidence {}", self.world.evidence.len());
        self.disk.put_file(&path, content.as_bytes());
        self.keep_evidence(of, &path);
    }

    fn keep_evidence(&mut self, of: Option<Id>, path: &Path) {
        self.disk.sync_all();
        let files = self.disk.files(path.parent().unwrap_or(path));
        let found = files.into_iter().find(|(it, _)| it == path);
        self.world.evidence.extend(found.map(|(_, content)| ((of, content), false)));
    }

    fn damage(&mut self, id: Id, harm: Harm) {
        let segment = self.place(id).join("session.journal-0");
        let mut bytes = self.disk.read(&segment).unwrap_or_default();
        match harm {
            Harm::FirstBlock => {
                bytes[..4096].fill(0);
                self.disk.put_file(&segment, &bytes);
            }
            // The last copy is behind the first record, which is of one block.
            Harm::Header => {
                bytes.iter_mut().take(2 * 4096).for_each(|byte| *byte = 0);
                self.disk.put_file(&segment, &bytes);
                self.keep_evidence(Some(id), &segment);
            }
            Harm::End => self.disk.put_file(&segment, &bytes[..3 * 4096 - 100]),
            Harm::Mark => self.disk.delete(self.place(id).join("session.journal")),
        }
        self.disk.sync_all();
    }

    pub(crate) fn perform(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Create(id) => {
                self.repository.create(&CreateOptions::new().id(SessionId::new(id)?)).map(drop)
            }
            Step::Replace(id) => {
                let options = CreateOptions::new().id(SessionId::new(id)?).replace_last();
                self.repository.create(&options).map(drop)
            }
            Step::Save(id, number) => self.save(id, number, SaveOptions::new(), Writer::save_with),
            Step::Stream(id, number) => {
                let save = |writer: &mut Writer, mut data: &[u8], options: &SaveOptions| {
                    pitstop::seam::save_in_pieces(writer, &mut data, options)
                };
                self.save(id, number, SaveOptions::new(), save)
            }
            Step::Follow(id, number) => {
                let revision = match self.session(id)?.load() {
                    Ok(checkpoint) => checkpoint.info.revision,
                    Err(Error::NoCheckpoint { .. }) => Revision::NONE,
                    Err(error) => return Err(error),
                };
                self.save(id, number, SaveOptions::new().follows(revision), Writer::save_with)
            }
            Step::Restore(id, number) => {
                let session = self.session(id)?;
                let mut history = session.history()?.revisions.into_iter().rev();
                let wanted = history.find(|it| it.info.digest == Digest::of(&payload(number)));
                let wanted = wanted.map_or(Revision::NONE, |it| it.info.revision);
                let info = session.restore(wanted)?;
                self.world.give(id, info.revision, number);
                Ok(())
            }
            Step::Fork(from, to) => {
                let options = CreateOptions::new().id(SessionId::new(to)?);
                self.session(from)?.fork(None, &options).map(drop)
            }
            Step::Copy(id) => {
                let source = open(&self.disk, &self.wrap, Path::new(SOURCE), self.format)?;
                let options = CopyOptions::new().format(self.format);
                let copied = source.get(id)?.copy_to(&self.repository, options)?;
                self.copied(id, &copied)
            }
            Step::Convert(id, to) => self.session(id)?.convert(to, true),
            Step::GiveUp(id, number) => {
                let session = self.session(id)?;
                let mut history = session.history()?.revisions.into_iter();
                let mut keep = 0;
                let wanted = Digest::of(&payload(number));
                history.find(|it| {
                    keep += 1;
                    it.info.digest == wanted
                });
                let options = PruneOptions::new().keep(keep);
                session.prune(&options.clone().dry_run())?;
                session.prune(&options).map(drop)
            }
            Step::Export(id) => self.session(id)?.export(io::sink(), |_| ()).map(drop),
            Step::Import(id) => {
                let source = open(&self.disk, &plain(), Path::new(SOURCE), Format::Journal)?;
                let mut archive = Vec::new();
                source.get(id)?.export(&mut archive, |_| ())?;
                let options = CopyOptions::new().format(self.format);
                let copied = self.repository.import(archive.as_slice(), options)?;
                self.copied(id, &copied)
            }
            Step::Source(id) => {
                let source = open(&self.disk, &plain(), Path::new(SOURCE), Format::Journal)?;
                let session = source.get_or_create(id)?;
                for (number, of) in COPIED {
                    let options = pitstop::seam::numbered(number);
                    session.save_with(&payload(of), &options.label("step", of.to_string()))?;
                }
                let directory = Path::new(SOURCE).join(format!("{id}.session"));
                self.disk.put_file(directory.join(OWN_FILE), b"own");
                self.disk.put_link(directory.join(OWN_LINK.0), OWN_LINK.1);
                self.disk.sync_all();
                Ok(())
            }
            Step::Hold(id) => {
                let writer = self.session(id)?.writer()?;
                self.writers.insert(id, writer);
                Ok(())
            }
            Step::Release(id) => {
                self.writers.remove(id);
                Ok(())
            }
            Step::MakeLast(id) => self.session(id)?.make_last(),
            Step::Remove(id) => self.session(id)?.remove().map(drop),
            Step::Trash(id) => self.session(id)?.trash().map(drop),
            Step::PutBack(id) => {
                let trashed = self.trashed(id)?;
                self.repository.restore_from_trash(&trashed, &trashed.id).map(drop)
            }
            Step::EmptyTrash(id) => self.repository.delete_from_trash(&self.trashed(id)?).map(drop),
            Step::Sweep => self.repository.sweep(false).map(drop),
            Step::Verify(id) => {
                let found = self.session(id)?.verify()?;
                found.revisions.into_iter().find_map(|it| it.error).map_or(Ok(()), Err)
            }
            Step::VerifyAll => {
                let found = self.repository.verify()?;
                let revisions = found.sessions.into_iter().flat_map(|it| it.revisions);
                let problems = found.problems.into_iter().map(|it| it.error);
                problems.chain(revisions.filter_map(|it| it.error)).next().map_or(Ok(()), Err)
            }
            Step::Repair(id) => self.session(id)?.repair().map(drop),
            Step::RepairLast => self.repository.repair_last(),
            Step::Unlock(id) => self.session(id)?.unlock().map(drop),
            Step::Look(id) => {
                self.repository.list()?;
                self.session(id)?.status()?;
                self.session(id)?.load()?;
                self.session(id)?.open_checkpoint()?;
                self.session(id)?.load_into(None, &mut Vec::new())?;
                self.repository.last().map(drop)
            }
            Step::OwnFiles(id) => {
                self.disk.put_file(self.place(id).join(OWN_FILE), b"own");
                self.disk.sync_all();
                Ok(())
            }
            Step::UnflushedFile(id) => {
                self.disk.put_file(self.place(id).join(OWN_FILE), b"own");
                Ok(())
            }
            Step::Misplace(id) => {
                self.put_evidence(Some(id), self.place(id).join("session.replaces"));
                Ok(())
            }
            Step::Damage(id, harm) => {
                self.damage(id, harm);
                Ok(())
            }
            Step::Foreign(id) => {
                self.disk.put_directory(self.place(id));
                Ok(())
            }
            Step::Unfinished(id) => {
                let name = match self.format {
                    Format::Journal => "session.journal.new",
                    _ => "session.new",
                };
                self.disk.put_file(self.place(id).join(name), b"half of a checkp");
                Ok(())
            }
            Step::CutShort(id, number) => {
                let interrupter = Interrupter::default();
                let backend = open_on(interrupter.around(&self.disk), &self.location)?;
                let mut writer = Repository::with_backend(backend).get(id)?.writer()?;
                // Behind the first sector of what follows the record's header.
                interrupter.arm(Some(Interrupt::KillInWrite { at: 0, written: 4096 + 512 }));
                drop(writer.save(&payload(number)));
                self.restart()
            }
            Step::HalfConverted(id) => {
                self.disk.put_file(self.place(id).join("session.journal"), b"half of a checkp");
                self.disk.sync_all();
                Ok(())
            }
            Step::Debris(id) => {
                let place = |name: &str| self.location.join(format!(".{id}.{name}"));
                for name in ["session.writer", "session.journal", "own/file"] {
                    self.disk.put_file(place("removed").join(name), b"");
                }
                self.disk.put_file(place("new-0123456789abcdef/session.journal"), b"");
                self.disk.put_link(place("last"), self.place(id));
                Ok(())
            }
            Step::Leftover(id) => {
                self.disk.put_file(self.place(id).join("session.next"), b"half of a checkp");
                Ok(())
            }
            Step::OldLeftover(id) => {
                self.put_evidence(Some(id), self.place(id).join("session.next"));
                Ok(())
            }
            Step::Locked(id, number) => match self.perform(Step::Save(id, number)) {
                Err(Error::Locked { .. }) => Ok(()),
                Ok(()) => Err(InvalidId::new(id, NameProblem::Empty).into()),
                Err(error) => Err(error),
            },
            Step::Contend(id, number) => match self.perform(Step::Follow(id, number)) {
                Err(Error::Locked { .. }) => Ok(()),
                outcome => outcome,
            },
            Step::LeftLink(id) => {
                let link = self.location.join(format!(".{id}.last"));
                self.disk.put_link(link, format!("/where/it/was/{id}.session"));
                Ok(())
            }
            Step::LastIsFile => {
                self.disk.delete(self.location.join("last-session"));
                self.put_evidence(None, self.location.join("last-session"));
                Ok(())
            }
            Step::LastIsDirectory => {
                self.disk.delete(self.location.join("last-session"));
                self.put_evidence(None, self.location.join("last-session/file"));
                Ok(())
            }
            // It was done before.
            Step::LastIs(_) => Ok(()),
            Step::Wait(seconds) => {
                self.disk.advance(Duration::from_secs(seconds));
                Ok(())
            }
            Step::Kill => {
                self.disk.kill();
                self.restart()
            }
        }
    }
}

/// Lets somebody come in between.
fn between(wrap: &Wrap, meanwhile: Option<Meanwhile>) -> Wrap {
    let Some(Meanwhile { before: (operation, name, skip), act }) = meanwhile else {
        return wrap.clone();
    };
    let (inner, seen) = (wrap.clone(), Arc::new(AtomicUsize::new(0)));
    Arc::new(move |disk: SimulatedDisk| {
        let seen = seen.clone();
        Arc::new(HookedDisk::new(inner(disk.clone()), move |call| {
            let is_it = call.operation == operation && call.name.is_some_and(|it| it == name);
            if is_it && seen.fetch_add(1, Ordering::Relaxed) == skip {
                act(&disk);
            }
            Action::Pass
        }))
    })
}

fn open(
    disk: &SimulatedDisk,
    wrap: &Wrap,
    location: &Path,
    format: Format,
) -> Result<Repository, Error> {
    let disk = wrap(disk.clone());
    let backend = open_on(disk, location)?;
    Ok(Repository::with_backend(backend).with_format(format))
}
