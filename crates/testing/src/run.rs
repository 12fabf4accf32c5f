//! A program that goes through the steps of a scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitstop::seam::{Disk, open_on};
use pitstop::{Error, Format, Repository, Session, Writer};

use super::disk::SimulatedDisk;
use super::hook::{Action, HookedDisk};
use super::scenario::{Meanwhile, NEAR, OUTSIDE, Scenario};
use super::step::{Id, Step};
use super::world::World;

/// Puts something between the library and the disk.
pub(crate) type Wrap = Arc<dyn Fn(SimulatedDisk) -> Arc<dyn Disk> + Send + Sync>;

/// A program at work, and what it was promised.
pub(crate) struct Run {
    pub disk: SimulatedDisk,
    pub wrap: Wrap,
    pub(crate) location: PathBuf,
    pub(crate) format: Format,
    pub(crate) repository: Repository,
    pub writers: BTreeMap<Id, Writer>,
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
        step.operation().perform(self)?;
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

    pub(crate) fn session(&self, id: Id) -> Result<Session, Error> {
        self.repository.get(id)
    }

    pub(crate) fn place(&self, id: Id) -> PathBuf {
        self.location.join(format!("{id}.session"))
    }

    /// Puts a file where it does not belong, unlike any other.
    pub(crate) fn put_evidence(&mut self, of: Option<Id>, path: PathBuf) {
        let content = format!("evidence {}", self.world.evidence.len());
        self.disk.put_file(&path, content.as_bytes());
        self.keep_evidence(of, &path);
    }

    pub(crate) fn keep_evidence(&mut self, of: Option<Id>, path: &Path) {
        self.disk.sync_all();
        let files = self.disk.files(path.parent().unwrap_or(path));
        let found = files.into_iter().find(|(it, _)| it == path);
        self.world.evidence.extend(found.map(|(_, content)| ((of, content), false)));
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

pub(crate) fn open(
    disk: &SimulatedDisk,
    wrap: &Wrap,
    location: &Path,
    format: Format,
) -> Result<Repository, Error> {
    let disk = wrap(disk.clone());
    let mut backend = open_on(disk, location)?;
    // Runs the suites on journals of version 2, which nobody is offered yet.
    if std::env::var_os("PITSTOP_JOURNAL_2").is_some() {
        backend = backend.with_journals_of_version_2();
    }
    Ok(Repository::with_backend(backend).with_format(format))
}
