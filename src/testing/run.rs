//! A program that goes through the steps of a scenario, and what it finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::disk::SimulatedDisk;
use super::scenario::{Id, NEAR, OUTSIDE, Scenario, Step, payload};
use super::world::{Expected, Presence, World};
use crate::checkpoint::{Revision, SaveOptions};
use crate::directory::DirectoryBackend;
use crate::error::Error;
use crate::id::SessionId;
use crate::repository::{CreateOptions, Repository};
use crate::session::{Session, Writer};
use crate::sys::Disk;

/// Puts something between the library and the disk.
pub(crate) type Wrap = Arc<dyn Fn(SimulatedDisk) -> Arc<dyn Disk> + Send + Sync>;

/// A program at work, and what it was promised.
pub(crate) struct Run {
    pub disk: SimulatedDisk,
    wrap: Wrap,
    location: PathBuf,
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
        location: &str,
        world: World,
    ) -> Result<Self, Error> {
        let location = PathBuf::from(location);
        let repository = open(&disk, wrap, &location)?;
        let (writers, worlds) = (BTreeMap::new(), vec![world.clone()]);
        Ok(Self { disk, wrap: wrap.clone(), location, repository, writers, world, worlds })
    }

    /// A program that is about to begin with a scenario's steps.
    pub(crate) fn of(scenario: &Scenario, wrap: &Wrap) -> Result<Self, Error> {
        let disk = SimulatedDisk::new();
        disk.set_hard_links(scenario.has_hard_links);
        disk.put_directory("/home/user");
        disk.put_file(format!("{OUTSIDE}/a.session/session"), b"outside");
        disk.put_file(format!("{OUTSIDE}/file"), b"outside");
        disk.put_link(format!("{OUTSIDE}/link"), NEAR);
        disk.sync_all();
        let mut run = Self::on(disk, wrap, scenario.location, World::default())?;
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
        self.repository = open(&self.disk, &self.wrap, &self.location)?;
        Ok(())
    }

    fn session(&self, id: Id) -> Result<Session, Error> {
        self.repository.get(id)
    }

    fn place(&self, id: Id) -> PathBuf {
        self.location.join(format!("{id}.session"))
    }

    fn save(&mut self, id: Id, number: u32, options: &SaveOptions) -> Result<(), Error> {
        let data = payload(number);
        match self.writers.get_mut(id) {
            Some(writer) => writer.save_with(&data, options).map(drop),
            None => self.session(id)?.save_with(&data, options).map(drop),
        }
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
            Step::Save(id, number) => self.save(id, number, &SaveOptions::new()),
            Step::Follow(id, number) => {
                let revision = match self.session(id)?.load() {
                    Ok(checkpoint) => checkpoint.info.revision,
                    Err(Error::NoCheckpoint { .. }) => Revision::NONE,
                    Err(error) => return Err(error),
                };
                self.save(id, number, &SaveOptions::new().follows(revision))
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
            Step::Unlock(id) => self.session(id)?.unlock().map(drop),
            Step::Look(id) => {
                self.repository.list()?;
                self.session(id)?.status()?;
                self.session(id)?.load()?;
                self.repository.last().map(drop)
            }
            Step::OwnFiles(id) => {
                self.disk.put_file(self.place(id).join("own/files/report"), b"own");
                self.disk.sync_all();
                Ok(())
            }
            Step::Foreign(id) => {
                self.disk.put_directory(self.place(id));
                Ok(())
            }
            Step::Unfinished(id) => {
                self.disk.put_file(self.place(id).join("session.new"), b"half of a checkp");
                Ok(())
            }
            Step::Leftover(id) => {
                self.disk.put_file(self.place(id).join("session.next"), b"half of a checkp");
                Ok(())
            }
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
        if let Some(problem) = listing.problems.first() {
            return Err(format!("list reports {problem:?}"));
        }
        let listed: Vec<&str> = listing.sessions.iter().map(|it| it.id.as_str()).collect();
        let mut found = self.world.clone();
        if let Some(other) = listed.iter().find(|id| !found.sessions.contains_key(**id)) {
            return Err(format!("{other} is listed, and was never made"));
        }
        for (id, expected) in &mut found.sessions {
            self.observe_session(id, listed.contains(id), expected)?;
        }
        let last = self.repository.last().map_err(|error| wrong("last", error))?;
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

    fn observe_session(&self, id: Id, listed: bool, found: &mut Expected) -> Result<(), String> {
        match (found.presence, listed) {
            (Presence::Sure, false) => return Err(format!("{id} is not listed")),
            (Presence::Gone, true) => return Err(format!("{id} is listed, and was removed")),
            _ => (),
        }
        found.presence = if listed { Presence::Sure } else { Presence::Gone };
        let loaded = self.session(id).and_then(|session| {
            session.status()?;
            session.load()
        });
        let payloads: Vec<Option<u32>> = match loaded {
            Err(Error::NotFound { .. }) if !listed => return Ok(()),
            Ok(loaded) => (found.payloads.iter().copied())
                .filter(|it| it.is_some_and(|number| payload(number) == loaded.data))
                .collect(),
            Err(Error::NoCheckpoint { .. }) => {
                found.payloads.iter().copied().filter(Option::is_none).collect()
            }
            Err(error) => return Err(format!("{id} does not load: {error:?}")),
        };
        match payloads.last() {
            Some(newest) => found.payloads = vec![*newest],
            None => return Err(format!("{id} holds none of {:?}", found.payloads)),
        }
        let own_files = self.place(id).join("own/files/report");
        if found.has_own_files && self.disk.read(own_files).is_none() {
            return Err(format!("{id} is there, and the program's files in it are not"));
        }
        Ok(())
    }

    /// Nothing is left in a session's directory that nobody will ever clear away.
    pub(crate) fn check_tidy(&self, id: Id) -> Result<(), String> {
        const KNOWN: [&str; 4] = ["session", "session.writer", "session.replaces", "own"];
        for name in self.disk.names(self.place(id)) {
            let name = name.to_string_lossy();
            if !KNOWN.contains(&&*name) && !name.starts_with("session.aside-") {
                return Err(format!("{name} is left in {id}"));
            }
        }
        Ok(())
    }
}

fn open(disk: &SimulatedDisk, wrap: &Wrap, location: &Path) -> Result<Repository, Error> {
    let disk = wrap(disk.clone());
    let backend = DirectoryBackend::on_disk(location, disk)?;
    Ok(Repository::with_backend(backend).with_format(crate::Format::Plain))
}
