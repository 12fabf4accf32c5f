//! A program that goes through the steps of a scenario, and what it finds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::crash::plain;
use super::disk::SimulatedDisk;
use super::hook::{Action, HookedDisk};
use super::scenario::{
    COPIED, Id, Meanwhile, NEAR, NOISE, OUTSIDE, OWN_FILE, OWN_LINK, SOURCE, STATE, Scenario, Step,
    payload,
};
use super::world::{Expected, NO_LINK, Presence, World};
use crate::backend::{Format, History, Kept, Problem, Status, Summary, Trashed};
use crate::checkpoint::{Checkpoint, CheckpointInfo, Digest, Retention, Revision, SaveOptions};
use crate::copy::{Copied, CopyOptions};
use crate::directory::DirectoryBackend;
use crate::error::Error;
use crate::id::SessionId;
use crate::prune::PruneOptions;
use crate::repository::{CreateOptions, Repository};
use crate::session::{Session, Writer};
use crate::sys::Disk;

/// What 16 revisions of the payloads here take, and one to go on in.
const MOST_SEGMENTS: usize = 5;

/// Puts something between the library and the disk.
pub(crate) type Wrap = Arc<dyn Fn(SimulatedDisk) -> Arc<dyn Disk> + Send + Sync>;

/// A program at work, and what it was promised.
pub(crate) struct Run {
    pub disk: SimulatedDisk,
    wrap: Wrap,
    location: PathBuf,
    format: Format,
    repository: Repository,
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

    fn session(&self, id: Id) -> Result<Session, Error> {
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

    fn place(&self, id: Id) -> PathBuf {
        self.location.join(format!("{id}.session"))
    }

    fn trashed(&self, id: Id) -> Result<Trashed, Error> {
        let found = self.repository.trash()?.into_iter().find(|it| it.id.as_str() == id);
        let not_found = |id| Error::NotFound { id, repository: self.location.clone() };
        SessionId::new(id).and_then(|id| found.ok_or(not_found(id)))
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
                    writer.save_in_pieces(&mut data, options)
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
                    let options = SaveOptions { number: Some(number), ..SaveOptions::new() };
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
            Step::Damage(id) => {
                let segment = self.place(id).join("session.journal-0");
                let mut bytes = self.disk.read(&segment).unwrap_or_default();
                bytes.iter_mut().take(4096).for_each(|byte| *byte = 0);
                self.disk.put_file(&segment, &bytes);
                self.keep_evidence(Some(id), &segment);
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
                Ok(()) => Err(Error::InvalidId { id: id.to_owned(), problem: "it is not locked" }),
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

    /// Looks at everything, and says what it found where more than one answer is right.
    pub(crate) fn observe(&self) -> Result<World, String> {
        let wrong = |what: &str, error: Error| format!("{what}: {error:?}");
        let listing = self.repository.list().map_err(|error| wrong("list", error))?;
        let is_damaged = |it: &&Problem| {
            let expected = it.id.as_ref().and_then(|id| self.world.sessions.get(id.as_str()));
            expected.is_some_and(|it| it.is_damaged)
        };
        if let Some(problem) = listing.problems.iter().find(|it| !is_damaged(it)) {
            return Err(format!("list reports {problem:?}"));
        }
        let listed: Vec<&str> = listing.sessions.iter().map(|it| it.id.as_str()).collect();
        let mut found = self.world.clone();
        if let Some((id, revision)) = found.given_twice {
            return Err(format!("{id} has two checkpoints of the number {revision}"));
        }
        if let Some(other) = listed.iter().find(|id| !found.sessions.contains_key(**id)) {
            return Err(format!("{other} is listed, and was never made"));
        }
        let trash = self.repository.trash().map_err(|error| wrong("trash", error))?;
        let trash: Vec<&str> = trash.iter().map(|it| it.id.as_str()).collect();
        for (id, expected) in &mut found.sessions {
            let summary = listing.sessions.iter().find(|it| it.id.as_str() == *id);
            observe_trash(id, summary.is_some(), trash.contains(id), expected)?;
            self.observe_session(id, summary, expected)?;
        }
        self.observe_evidence(&mut found)?;
        let last = match self.repository.last() {
            Err(Error::Corrupt { .. }) if found.last.contains(&Some(NO_LINK)) => {
                found.last = vec![Some(NO_LINK)];
                return Ok(found);
            }
            last => last.map_err(|error| wrong("last", error))?,
        };
        let last_id = last.as_ref().map(|session| session.id().as_str());
        found.last.retain(|allowed| *allowed == last_id);
        found.last.truncate(1);
        if found.last.is_empty() {
            return Err(format!("the last session is {last_id:?}, not {:?}", self.world.last));
        }
        if self.world.resumable {
            match last.map(|session| session.load()) {
                Some(Ok(_)) => (),
                other => return Err(format!("nothing to resume: {other:?}")),
            }
        }
        Ok(found)
    }

    /// What was found where it does not belong is there or aside, and nowhere else.
    fn observe_evidence(&self, found: &mut World) -> Result<(), String> {
        for ((id, content), is_aside) in &mut found.evidence {
            let place = match id {
                Some(id) if found.sessions[id].presence != Presence::Sure => continue,
                Some(id) => self.place(id),
                None => self.location.clone(),
            };
            let files = self.disk.files(&place);
            let is_it = |(path, it): &&(PathBuf, u64)| {
                it == content && (!*is_aside || path.to_string_lossy().contains(".aside-"))
            };
            let Some((path, _)) = files.iter().find(is_it) else {
                let what = if *is_aside { "no longer aside" } else { "lost" };
                return Err(format!("evidence in {} is {what}", place.display()));
            };
            *is_aside = path.to_string_lossy().contains(".aside-");
        }
        Ok(())
    }

    fn observe_session(
        &self,
        id: Id,
        summary: Option<&Summary>,
        found: &mut Expected,
    ) -> Result<(), String> {
        if found.is_damaged {
            let session = self.session(id).map_err(|error| format!("{error:?}"))?;
            return match session.history() {
                Ok(history) => observe_revisions(id, &session, &history, found),
                Err(_) => Ok(()),
            };
        }
        let listed = summary.is_some();
        match (found.presence, listed) {
            (Presence::Sure, false) => return Err(format!("{id} is not listed")),
            (Presence::Gone, true) => return Err(format!("{id} is listed, and was removed")),
            _ => (),
        }
        let format = match found.converted {
            None => Some(self.format),
            Some((format, is_sure)) => Some(format).filter(|_| is_sure),
        };
        match summary.filter(|_| found.is_complete) {
            Some(it) if format.is_some_and(|format| it.format != format) => {
                return Err(format!("{id} is {}", it.format));
            }
            _ => (),
        }
        found.presence = if listed { Presence::Sure } else { Presence::Gone };
        let status = self.session(id).and_then(|session| session.status());
        let loaded = self.session(id).and_then(|session| session.load());
        self.check_agreement(id, summary, &status, &loaded)?;
        if summary.is_some_and(|it| it.format == Format::Journal) {
            self.observe_history(id, loaded.as_ref().ok(), found)?;
        }
        let payloads: Vec<Option<u32>> = match loaded {
            Err(Error::NotFound { .. }) if !listed => return Ok(()),
            Ok(loaded) => (found.payloads.iter().copied())
                .filter(|it| it.is_some_and(|number| *payload(number) == *loaded.data))
                .collect(),
            Err(Error::NoCheckpoint { .. }) => {
                found.payloads.iter().copied().filter(Option::is_none).collect()
            }
            Err(error) => return Err(format!("{id} does not load: {error:?}")),
        };
        if payloads == [None] {
            // It was made anew, or nothing was ever saved.
            (found.told, found.given) = (0, BTreeMap::new());
        }
        match payloads.last() {
            Some(newest) => found.payloads = vec![*newest],
            None => return Err(format!("{id} holds none of {:?}", found.payloads)),
        }
        let must_have_own_files = found.has_own_files
            || found.own_files_come_with.is_some_and(|it| found.payloads == [Some(it)]);
        let own_file = self.disk.read(self.place(id).join(OWN_FILE));
        let own_link = self.disk.link_target(self.place(id).join(OWN_LINK.0));
        let must_have_link = must_have_own_files && found.own_files_come_with.is_some();
        if must_have_own_files && own_file.as_deref() != Some(b"own")
            || must_have_link && own_link.is_none_or(|it| it != OWN_LINK.1)
        {
            return Err(format!("{id} is there, and the program's files in it are not"));
        }
        Ok(())
    }

    /// A list, a status and a load tell the same of a session.
    fn check_agreement(
        &self,
        id: Id,
        summary: Option<&Summary>,
        status: &Result<Status, Error>,
        loaded: &Result<Checkpoint, Error>,
    ) -> Result<(), String> {
        let told = |it: &Summary| (it.saved, it.size, it.format, it.live);
        let of_status = status.as_ref().map(|status| told(&status.summary)).ok();
        if summary.map(told) != of_status {
            return Err(format!("{id} is listed as {summary:?}, and its status is {status:?}"));
        }
        let of_load = match loaded {
            Ok(checkpoint) => Some((checkpoint.info.saved, checkpoint.info.size)),
            Err(_) => None,
        };
        if summary.and_then(|it| it.saved.zip(it.size)) != of_load {
            return Err(format!("{id} is listed as {summary:?}, and loads as {of_load:?}"));
        }
        Ok(())
    }

    /// The history begins with what loads.
    fn observe_history(
        &self,
        id: Id,
        loaded: Option<&Checkpoint>,
        found: &mut Expected,
    ) -> Result<(), String> {
        let session = self.session(id).map_err(|error| format!("{error:?}"))?;
        let history = session.history().map_err(|error| format!("history: {error:?}"))?;
        if !history.damaged.is_empty() {
            return Err(format!("{id} reports damage: {:?}", history.damaged));
        }
        let newest = history.revisions.first().map(|kept| &kept.info);
        if newest != loaded.map(|checkpoint| &checkpoint.info) {
            return Err(format!(
                "the history of {id} begins with {newest:?}, and {loaded:?} loads"
            ));
        }
        observe_revisions(id, &session, &history, found)?;
        observe_given_up(id, &history, found)
    }

    /// Nothing of a removed session is left, since nobody else is there.
    pub(crate) fn check_swept(&self) -> Result<(), String> {
        let names = self.disk.names(&self.location);
        let is_left = |name: &&OsString| {
            let name = name.to_string_lossy();
            name.ends_with(".removed") || name.ends_with(".last")
        };
        match names.iter().find(is_left) {
            Some(name) => Err(format!("{} is left", name.display())),
            None => Ok(()),
        }
    }

    /// Nothing is left in a session's directory that nobody will ever clear away.
    pub(crate) fn check_tidy(&self, id: Id) -> Result<(), String> {
        const KNOWN: [&str; 3] = ["session.writer", "session.replaces", "own"];
        let names = self.disk.names(self.place(id));
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        let is_journal = names.iter().any(|name| name == "session.journal");
        let is_converted = self.world.sessions.get(id).is_some_and(|it| it.converted.is_some());
        let mut segments = 0;
        for name in &names {
            let is_segment = name.starts_with("session.journal-");
            segments += usize::from(is_segment);
            // What a conversion left that was killed, or what PlainBox's lock was then.
            let is_left = is_segment || name.starts_with("session.aside-");
            if is_converted && is_left {
                continue;
            }
            let is_known = match is_journal {
                true => is_segment || name == "session.journal",
                false => name == "session",
            };
            let is_evidence =
                name.starts_with("session.aside-") || name.starts_with("session.journal.aside-");
            if !is_known && !is_evidence && !KNOWN.contains(&&**name) {
                return Err(format!("{name} is left in {id}"));
            }
        }
        match segments {
            0..=MOST_SEGMENTS => Ok(()),
            _ => Err(format!("{segments} segments are in {id}")),
        }
    }
}

/// Every revision that is listed is there, and is what it was when its number was given.
fn observe_revisions(
    id: Id,
    session: &Session,
    history: &History,
    found: &mut Expected,
) -> Result<(), String> {
    for kept in &history.revisions {
        let revision = kept.info.revision;
        let wrong = |what: &str| format!("revision {revision} of {id} {what}");
        let loaded = session
            .load_revision(revision)
            .map_err(|error| wrong(&format!("does not load: {error:?}")))?;
        let number = revision.number().unwrap_or_default();
        let is_it = |payload_number: &u32| *payload(*payload_number) == *loaded.data;
        match found.given.get(&number) {
            Some(given) if is_it(given) => (),
            Some(_) if number <= found.told => return Err(wrong("is not what it was")),
            _ => match found.payloads.iter().flatten().copied().find(is_it) {
                Some(in_flight) => drop(found.given.insert(number, in_flight)),
                None => return Err(wrong("was never saved")),
            },
        }
        if loaded.info != kept.info {
            return Err(wrong("is listed as something else"));
        }
        let mut pieces = Vec::new();
        let opened = session.open_revision(revision).map_err(std::io::Error::from);
        match opened.and_then(|mut reader| reader.read_to_end(&mut pieces)) {
            Ok(_) if pieces == loaded.data => (),
            other => return Err(wrong(&format!("is not read in pieces: {other:?}"))),
        }
    }
    let newest = history.revisions.first().and_then(|kept| kept.info.revision.number());
    found.told = newest.unwrap_or(0).max(found.told);
    Ok(())
}

/// What was given up is gone, and nothing else.
fn observe_given_up(id: Id, history: &History, found: &mut Expected) -> Result<(), String> {
    let Some((oldest, is_sure)) = found.oldest else { return Ok(()) };
    let is_oldest = |it: &&Kept| it.info.digest == Digest::of(&payload(oldest));
    let older = history.revisions.iter().rev().take_while(|it| !is_oldest(it)).count();
    match older {
        0 => found.oldest = Some((oldest, true)),
        _ if older == history.revisions.len() => {
            return Err(format!("{id} has lost the oldest revision that was to stay"));
        }
        _ if is_sure => return Err(format!("{id} has {older} revisions that were given up")),
        _ => (),
    }
    Ok(())
}

/// A session is in the trash, or where it was, or gone, as was promised.
fn observe_trash(id: Id, listed: bool, in_trash: bool, found: &mut Expected) -> Result<(), String> {
    match (found.in_trash, found.presence) {
        (Presence::Sure, _) if !in_trash => return Err(format!("{id} is not in the trash")),
        (Presence::Gone, _) if in_trash => return Err(format!("{id} is in the trash")),
        (Presence::Maybe, Presence::Maybe) if in_trash == listed => {
            return Err(format!(
                "{id} is {} and in the trash",
                if listed { "there" } else { "neither" }
            ));
        }
        _ => (),
    }
    found.in_trash = if in_trash { Presence::Sure } else { Presence::Gone };
    Ok(())
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
    let backend = DirectoryBackend::on_disk(location, disk)?;
    Ok(Repository::with_backend(backend).with_format(format))
}
