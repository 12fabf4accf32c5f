//! Each call that Pitstop makes of the system fails in turn, with each error that it can give.
//!
//! The error that comes out must name the step, the place and that cause; what stands must be what it
//! says; the same call must work once the cause is gone; and a power cut at any of these moments must
//! break no promise. Calls that fail without an error coming out must leave everything right, too.
//!
//! A flush may fail once, and later ones succeed without flushing what that one should have. Pitstop
//! makes the names of a session and a checkpoint anew when it tries again, so that they last even
//! then. It cannot do so for a directory above the repository, nor for the directory of a session
//! that PlainBox made or the lock that it left, and does not for a session that it converts, or for the
//! program's own files that it copies: there a flush that succeeds after one that failed must mean what
//! it says.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::crash::{End, Seen, judge, plain};
use super::disk::{Quirk, SimulatedDisk};
use super::hook::{Action, Call, HookedDisk, Operation, Site};
use super::parallel;
use super::random::Random;
use super::run::{Run, Wrap};
use super::scenario::{Scenario, for_faults_alone, scenarios};
use super::step::Step;
use super::world::World;
use pitstop::{Error, Format, Step as Failed};

/// A line of the library that makes a call: file, line and column.
pub type Place = (String, u32, u32);

/// What became of one scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FaultVerdict {
    /// Its name.
    pub scenario: String,
    /// How many calls it makes.
    pub calls: usize,
    /// How many faults were injected, one in each run.
    pub faults: usize,
    /// In how many of these runs an error came out.
    pub errors: usize,
    /// The lines that made the calls that failed.
    pub places: BTreeSet<Place>,
    /// Which faults calls did fail with.
    pub fired: BTreeSet<FiredFault>,
    /// What broke a promise: the call, the fault, and how.
    pub failures: Vec<String>,
}

impl fmt::Display for FaultVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, calls, faults, errors, .. } = self;
        write!(f, "{scenario:23} {calls:4} calls {faults:5} faults {errors:5} errors")?;
        self.failures.iter().take(10).try_for_each(|failure| write!(f, "\n  BROKEN: {failure}"))
    }
}

/// A call of the system, and what it failed with.
pub type FiredFault = (String, String);

/// Every fault of every call that the suite knows.
pub fn known_faults() -> BTreeSet<FiredFault> {
    let of = |operation: Operation| faults_of(operation).into_iter().map(move |it| (operation, it));
    Operation::ALL.into_iter().flat_map(of).map(named).collect()
}

fn named((operation, fault): (Operation, Fault)) -> FiredFault {
    (format!("{operation:?}"), format!("{fault:?}"))
}

/// Runs every scenario with every fault.
pub fn faults() -> Vec<FaultVerdict> {
    // Where a replacement was put off, making a session of the old name means something else.
    let is_fit = |it: &Scenario| it.name != "replace-again";
    let mut all: Vec<Scenario> =
        scenarios().into_iter().filter(is_fit).chain(for_faults_alone()).collect();
    // The longest first, so that neither thread is left with it.
    all.sort_by_key(|scenario| std::cmp::Reverse(scenario.steps.len()));
    parallel::map(&all, |scenario| fail(scenario, &plain()))
}

/// One way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error(Errno),
    /// A sync fails, and what it should have flushed no later one flushes.
    LoseSync,
    Short,
    Nothing,
    /// All but the last byte is written, and then the disk is full.
    CutOff,
}

fn faults_of(operation: Operation) -> Vec<Fault> {
    use Operation::*;
    let errors: &[Errno] = match operation {
        Open | OpenDirectory | OpenFile => &[Errno::ACCESS, Errno::MFILE, Errno::STALE],
        CreateFile => {
            &[Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS, Errno::MFILE, Errno::STALE]
        }
        // EINTR only where the kernel's side of the seam does not make the call again.
        MakeDirectory | MakeSymlink | Rename => {
            &[Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS, Errno::STALE, Errno::INTR]
        }
        Link => &[Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::PERM, Errno::MLINK, Errno::INTR],
        RemoveDirectory | RemoveFile => &[Errno::ROFS, Errno::ACCESS, Errno::STALE, Errno::INTR],
        SyncDirectory | SyncFile => {
            &[Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::INVAL, Errno::NOTSUP]
        }
        Write => &[Errno::NOSPC, Errno::DQUOT, Errno::STALE],
        SetLen => &[Errno::NOSPC, Errno::ROFS],
        SetModified => &[Errno::ROFS, Errno::STALE],
        TryLock | Unlock | IsLocked => &[Errno::NOLCK, Errno::NOTSUP],
        BootTime | Boot | Extent | ReadLink | Metadata | OwnMetadata | FileMetadata | Entries
        | IsLocal | Read => &[Errno::ACCESS, Errno::STALE],
    };
    let mut faults: Vec<Fault> = errors.iter().copied().map(Fault::Error).collect();
    faults.push(Fault::Error(Errno::IO));
    match operation {
        SyncDirectory | SyncFile => faults.push(Fault::LoseSync),
        Read => faults.extend([Fault::Short, Fault::Nothing]),
        Write => faults.extend([Fault::Short, Fault::Nothing, Fault::CutOff]),
        _ => (),
    }
    faults
}

/// A call that was made.
#[derive(Clone, Copy, Debug)]
struct Made {
    operation: Operation,
    site: Site,
    /// Whether it opened the directory above.
    is_up: bool,
}

impl Made {
    fn is_same(&self, other: &Self) -> bool {
        (self.operation, self.site) == (other.operation, other.site)
    }
}

/// Lets one call of a run fail.
#[derive(Debug, Default)]
struct Injector {
    armed: bool,
    calls: Vec<Made>,
    /// Which calls fail, and how.
    faults: Vec<(usize, Fault)>,
    /// The next write fails.
    is_cut_off: bool,
    has_failed: bool,
    fired: Fired,
}

/// What calls failed with, in all runs of a scenario.
type Fired = Arc<Mutex<BTreeSet<FiredFault>>>;

impl Injector {
    fn decide(&mut self, call: &Call, disk: &SimulatedDisk) -> Action {
        if !self.armed {
            return Action::Pass;
        }
        let number = self.calls.len();
        let is_up = call.name.is_some_and(|name| name == "..");
        self.calls.push(Made { operation: call.operation, site: call.site, is_up });
        if self.is_cut_off && call.operation == Operation::Write {
            self.is_cut_off = false;
            return Action::Fail(io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()));
        }
        let Some((_, fault)) = self.faults.iter().find(|(at, _)| *at == number) else {
            return Action::Pass;
        };
        self.has_failed = true;
        lock(&self.fired).insert(named((call.operation, *fault)));
        match fault {
            Fault::Error(errno) => Action::Fail(io::Error::from_raw_os_error(errno.raw_os_error())),
            Fault::LoseSync => {
                disk.set_quirk(Quirk::LoseSync);
                Action::Pass
            }
            Fault::Short => Action::Part(1),
            Fault::Nothing => Action::Nothing,
            Fault::CutOff => {
                self.is_cut_off = true;
                Action::Part(call.len.saturating_sub(1).max(1))
            }
        }
    }
}

/// A run in which a call fails.
struct Trial {
    run: Run,
    injector: Arc<Mutex<Injector>>,
}

impl Trial {
    fn new(
        scenario: &Scenario,
        wrap: &Wrap,
        faults: &[(usize, Fault)],
        fired: &Fired,
    ) -> Result<Self, Error> {
        let (faults, fired) = (faults.to_vec(), fired.clone());
        let injector = Arc::new(Mutex::new(Injector { faults, fired, ..Injector::default() }));
        let (inner, hook) = (wrap.clone(), injector.clone());
        let wrap: Wrap = Arc::new(move |disk: SimulatedDisk| {
            let hook = hook.clone();
            let inner = inner(disk.clone());
            Arc::new(HookedDisk::new(inner, move |call| lock(&hook).decide(call, &disk)))
        });
        Ok(Self { run: Run::of(scenario, &wrap)?, injector })
    }

    /// The calls that were made after this one.
    fn calls_after(&self, number: usize) -> Vec<(usize, Made)> {
        let injector = lock(&self.injector);
        injector.calls.iter().copied().enumerate().skip(number + 1).collect()
    }

    /// Makes a step in which calls may fail.
    fn step(&mut self, step: Step) -> Result<(), Error> {
        lock(&self.injector).armed = true;
        let result = self.run.step(step);
        lock(&self.injector).armed = false;
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was judged of a scenario, and what its calls failed with.
#[derive(Default)]
struct Judged {
    seen: Seen,
    fired: Fired,
}

/// Runs a scenario with every fault in every call.
pub(crate) fn fail(scenario: &Scenario, wrap: &Wrap) -> FaultVerdict {
    let mut verdict = FaultVerdict {
        scenario: scenario.to_string(),
        calls: 0,
        faults: 0,
        errors: 0,
        places: BTreeSet::new(),
        fired: BTreeSet::new(),
        failures: Vec::new(),
    };
    let calls = match calls(scenario, wrap) {
        Ok(calls) => calls,
        Err(error) => {
            verdict.failures.push(format!("without a fault: {error:?}"));
            return verdict;
        }
    };
    verdict.calls = calls.len();
    let judged = Judged::default();
    for (number, Made { operation, site, is_up }) in calls.iter().enumerate() {
        verdict.places.extend(place(*site));
        // In a long one each line makes the same call many times: the first and the last of them fail.
        let is_same = |it: &Made| it.is_same(&calls[number]);
        let (before, behind) = (&calls[..number], &calls[number + 1..]);
        if !scenario.is_short() && before.iter().any(is_same) && behind.iter().any(is_same) {
            continue;
        }
        for fault in faults_of(*operation) {
            let is_a_directorys = *operation == Operation::SyncDirectory;
            if fault == Fault::LoseSync && is_a_directorys && scenario.name.starts_with("convert") {
                continue;
            }
            // A directory above that may not be read is taken to be durable: nobody who could have
            // made it, or the next on the way down, is kept from reading it.
            if *is_up && fault == Fault::Error(Errno::ACCESS) {
                continue;
            }
            verdict.faults += 1;
            let what = || format!("call {number}, {operation:?} {:?}, {fault:?}", place(*site));
            let after = match attempt(scenario, wrap, number, fault, &judged) {
                Ok(after) => after,
                Err(text) => {
                    verdict.failures.push(format!("{}: {text}", what()));
                    continue;
                }
            };
            verdict.errors += usize::from(after.is_some());
            // What is done only after a failure fails, too.
            for (second, made) in after.unwrap_or_default() {
                let is_known = place(made.site).is_none_or(|it| verdict.places.contains(&it));
                if is_known || calls.iter().any(|it| it.is_same(&made)) {
                    continue;
                }
                verdict.places.extend(place(made.site));
                for then in faults_of(made.operation) {
                    verdict.faults += 1;
                    let faults = [(number, fault), (second, then)];
                    if let Err(text) = attempt_two(scenario, wrap, faults, &judged) {
                        verdict.failures.push(format!("{}, then {made:?}: {text}", what()));
                    }
                }
            }
        }
    }
    verdict.fired = std::mem::take(&mut lock(&judged.fired));
    verdict
}

fn place(site: Site) -> Option<Place> {
    site.map(|site| (site.file().to_owned(), site.line(), site.column()))
}

fn calls(scenario: &Scenario, wrap: &Wrap) -> Result<Vec<Made>, Error> {
    let mut trial = Trial::new(scenario, wrap, &[], &Fired::default())?;
    for step in &scenario.steps {
        trial.step(*step)?;
    }
    let calls = std::mem::take(&mut lock(&trial.injector).calls);
    Ok(calls)
}

/// Lets one call fail. If an error came out, gives the calls that were made before it did.
fn attempt(
    scenario: &Scenario,
    wrap: &Wrap,
    number: usize,
    fault: Fault,
    judged: &Judged,
) -> Result<Option<Vec<(usize, Made)>>, String> {
    let mut trial = Trial::new(scenario, wrap, &[(number, fault)], &judged.fired).map_err(debug)?;
    let mut after = None;
    let mut looks = 0;
    for (n, step) in scenario.steps.iter().enumerate() {
        let before = trial.run.world.clone();
        let failed_before = lock(&trial.injector).has_failed;
        if failed_before && matches!(step, Step::LastIs(_)) {
            continue;
        }
        let result = trial.step(*step);
        let text = match &result {
            Ok(()) => format!("{step:?}"),
            Err(error) => format!("{step:?} fails with {error:?}"),
        };
        match result {
            Err(_) if failed_before => return Err(format!("a later {text}")),
            Err(error) => {
                after = Some(trial.calls_after(number));
                check_error(&error, fault).map_err(|why| format!("{text}: {why}"))?;
                if matches!(step, Step::RemoveInPlace(_)) {
                    // A part of it is left, and doing it again ends that.
                    return match trial.run.step(*step) {
                        Ok(()) | Err(Error::NotFound { .. }) => Ok(after),
                        Err(error) => Err(format!("{text}; again: {error:?}")),
                    };
                }
                if fault == Fault::LoseSync && is_by_others(&error, *step, scenario) {
                    return Ok(after);
                }
                let (now, mut later) = match error {
                    Error::Indeterminate { .. } => before.indeterminate(*step),
                    _ => before.failed(*step, scenario.format),
                };
                trial.run.world = now;
                let found = trial.run.observe().map_err(|why| format!("{text}; then {why}"))?;
                later.saw(&found);
                crash(scenario, &trial.run, &later, &judged.seen)
                    .map_err(|why| format!("{text}; {why}"))?;
                trial.run.world = later;
                if let Step::Remove(id) | Step::Trash(id) = *step
                    && found.is_present(id)
                {
                    // It was taken back, and is used as if nothing had been.
                    let text = format!("{text}; then a save");
                    trial.run.world = found;
                    trial.run.step(Step::Save(id, 14)).map_err(|it| format!("{text}: {it:?}"))?;
                    crash(scenario, &trial.run, &trial.run.world, &judged.seen)
                        .map_err(|why| format!("{text}; {why}"))?;
                }
                trial.run.step(*step).map_err(|error| format!("{text}; again: {error:?}"))?;
            }
            Ok(()) if lock(&trial.injector).has_failed && !failed_before => {
                let done = std::mem::replace(&mut trial.run.world, before);
                trial.run.world.begin(*step);
                trial.run.world.acknowledge_in_spite();
                trial.run.world.tell(&done);
            }
            Ok(()) => (),
        }
        // Before that all is as it is without a fault; and long after it nothing new comes of it.
        let is_last = n + 1 == scenario.steps.len();
        if lock(&trial.injector).has_failed && (scenario.is_short() || looks < 3 || is_last) {
            looks += 1;
            trial.run.observe().map_err(|why| format!("{text}; in the end {why}"))?;
            let world = trial.run.world.clone();
            crash(scenario, &trial.run, &world, &judged.seen)
                .map_err(|why| format!("{text}; done; {why}"))?;
        }
    }
    Ok(after)
}

/// Lets a call fail, and then one of those that clear up. More than one answer is right after that,
/// but every session is whole and the next call works.
fn attempt_two(
    scenario: &Scenario,
    wrap: &Wrap,
    faults: [(usize, Fault); 2],
    judged: &Judged,
) -> Result<(), String> {
    let mut trial = Trial::new(scenario, wrap, &faults, &judged.fired).map_err(debug)?;
    for step in &scenario.steps {
        let Err(error) = trial.step(*step) else { continue };
        let text = format!("{step:?} fails with {error:?}");
        let is_cause = faults.iter().any(|(_, fault)| check_error(&error, *fault).is_ok());
        if !is_cause {
            return Err(format!("{text}: that is not the cause"));
        }
        if matches!(step, Step::RemoveInPlace(_)) {
            return Ok(());
        }
        trial.run.world.resumable = false;
        trial.run.observe().map_err(|why| format!("{text}; then {why}"))?;
        crash(scenario, &trial.run, &trial.run.world, &judged.seen)
            .map_err(|why| format!("{text}; {why}"))?;
        return match trial.run.step(*step) {
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::NotFound { .. }) => {
                trial.run.observe().map(drop).map_err(|why| format!("{text}; in the end {why}"))
            }
            Err(error) => Err(format!("{text}; again: {error:?}")),
        };
    }
    Ok(())
}

/// Whether a name that is not Pitstop's could not be flushed: of a directory above the repository, of a
/// session that PlainBox made, of the lock that it left, or of a file of the program that is copied. If
/// the system then loses it and calls the next flush a success, nobody can do anything about it: see the
/// module.
fn is_by_others(error: &Error, step: Step, scenario: &Scenario) -> bool {
    let Error::Storage { step: failed, path, .. } = error else { return false };
    let repository = Path::new(scenario.location);
    match step {
        _ if path.ends_with("..") => true,
        Step::Copy(_) | Step::Import(_) | Step::Fork(..) => *failed == Failed::Flush,
        // What else could not be flushed of a plain session is Indeterminate.
        Step::Save(..) | Step::Follow(..)
            if scenario.format == Format::Plain && *failed == Failed::Flush =>
        {
            path == repository || path.parent() == Some(repository)
        }
        Step::Save(..) => path == repository,
        _ => false,
    }
}

/// The power is cut now.
fn crash(scenario: &Scenario, run: &Run, world: &World, seen: &Seen) -> Result<(), String> {
    let moment = run.disk.now();
    let mut random = Random(moment.undecided() as u64);
    // What was written first is there, and what was to take it back is not.
    let first = (1 << (moment.undecided() / 2).min(126)) - 1;
    let some =
        [0, u128::MAX, first, random.survivors().0, random.survivors().0, random.survivors().0];
    for bits in some {
        let end = End::crash(bits);
        let disk = end.of(&moment);
        if seen.is_new(&disk, end, world) {
            judge(scenario, &plain(), disk, end, world)
                .map_err(|why| format!("after a power cut ({end}) {why}"))?;
        }
    }
    Ok(())
}

/// Whether the error names the step, the place, and the cause.
fn check_error(error: &Error, fault: Fault) -> Result<(), &'static str> {
    let (path, source) = match error {
        Error::Storage { path, source, .. }
        | Error::Indeterminate { path, source, .. }
        | Error::NotDurable { path, source } => (path, source),
        Error::Unsupported { .. } => {
            let is_lock = matches!(fault, Fault::Error(Errno::NOLCK | Errno::NOTSUP));
            return if is_lock { Ok(()) } else { Err("that is not the cause") };
        }
        _ => return Err("that is not the cause"),
    };
    if !path.is_absolute() || error.source().is_none() {
        return Err("the error does not say what failed");
    }
    let is_cause = match fault {
        Fault::Error(errno) => source.raw_os_error() == Some(errno.raw_os_error()),
        Fault::LoseSync => source.raw_os_error() == Some(Errno::IO.raw_os_error()),
        Fault::Nothing => {
            matches!(source.kind(), io::ErrorKind::WriteZero | io::ErrorKind::UnexpectedEof)
        }
        Fault::CutOff => source.raw_os_error() == Some(Errno::NOSPC.raw_os_error()),
        Fault::Short => return Err("a short read or write is no failure"),
    };
    if is_cause { Ok(()) } else { Err("that is not the cause") }
}

fn debug(error: Error) -> String {
    format!("{error:?}")
}
