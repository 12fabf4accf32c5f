//! Power cuts and kills at every moment of what a program does.
//!
//! For each scenario, and each moment of it, the power is cut and some of the changes that were not
//! yet durable survive: all subsets of them where they are few, else many. Or every process is
//! killed, and nothing is lost but their locks. Then a new program looks whether all that was
//! promised is there, goes on with its work, and is hit by a power cut in its turn.
//!
//! A state that breaks a promise is named by a text such as `crashes/plain/saves/17/2c`: the scenario, the moment,
//! and the changes that survived (hexadecimal, or `kill`), and again a moment and changes if it took
//! a second power cut. With `PITSTOP_REPLAY` set to that text, the suite judges that state alone.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use twox_hash::XxHash3_64;

use super::disk::{Moment, SimulatedDisk, Survivors};
use super::payload::{LARGE, STATE};
use super::random::Random;
use super::replay::{self, Wanted};
use super::run::{Run, Wrap};
use super::scenario::{Scenario, scenarios};
use super::step::{Id, Step};
use super::world::{Presence, World};

/// How much of it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Up to so many changes in the balance, every subset of them.
    pub all_subsets_of: usize,
    /// Beyond that, so many subsets picked at random.
    pub samples: usize,
    /// How many second power cuts follow each state.
    pub second_crashes: usize,
    /// How many threads share the work.
    pub threads: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { all_subsets_of: 8, samples: 60, second_crashes: 5, threads: 2 }
    }
}

/// What became of one scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Its name.
    pub scenario: String,
    /// How many moments it has.
    pub moments: usize,
    /// How many different states were judged after one power cut or kill, and after two.
    pub states: (usize, usize),
    /// The first state that broke a promise: which, and how.
    pub failure: Option<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.states;
        let name = &self.scenario;
        write!(f, "{name:23} {:4} moments {first:7} + {second:7} states", self.moments)?;
        match &self.failure {
            Some(failure) => write!(f, "  BROKEN: {failure}"),
            None => Ok(()),
        }
    }
}

/// Runs every scenario, or the one state that `PITSTOP_REPLAY` names.
pub fn crashes(budget: Budget) -> Vec<Verdict> {
    match replay::wanted("crashes") {
        Wanted::All => (),
        Wanted::Nothing => return Vec::new(),
        Wanted::This(spec) => return vec![replay(&spec)],
    }
    scenarios().iter().map(|scenario| crash(scenario, &plain(), budget)).collect()
}

/// Nothing between the library and the disk.
pub(crate) fn plain() -> Wrap {
    Arc::new(|disk: SimulatedDisk| Arc::new(disk) as _)
}

/// Runs one scenario.
pub(crate) fn crash(scenario: &Scenario, wrap: &Wrap, budget: Budget) -> Verdict {
    let mut verdict =
        Verdict { scenario: scenario.to_string(), moments: 0, states: (0, 0), failure: None };
    let (moments, worlds) = match record(scenario, wrap) {
        Ok(recorded) => recorded,
        Err(failure) => {
            verdict.failure = Some(failure);
            return verdict;
        }
    };
    verdict.moments = moments.len();
    let shared = Shared {
        scenario,
        wrap,
        budget,
        moments: &moments,
        worlds: &worlds,
        seen: Default::default(),
        first: AtomicUsize::new(0),
        second: AtomicUsize::new(0),
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..budget.threads.max(1)).map(|_| scope.spawn(|| shared.work())).collect();
        let ended = started.into_iter().map(|thread| match thread.join() {
            Ok(failure) => failure,
            Err(_) => Some("a thread panicked".to_owned()),
        });
        ended.flatten().collect()
    });
    verdict.failure = failures.into_iter().next();
    verdict.states = (shared.first.into_inner(), shared.second.into_inner());
    verdict
}

type Recorded = (Vec<Moment>, Vec<World>);

/// Every moment of a scenario without a crash, and what was promised at each.
fn record(scenario: &Scenario, wrap: &Wrap) -> Result<Recorded, String> {
    let wrong = |error| format!("{scenario}: {error:?}");
    let mut run = Run::of(scenario, wrap).map_err(wrong)?;
    run.disk.record();
    for step in &scenario.steps {
        run.step(*step).map_err(wrong)?;
        run.observe().map_err(|text| format!("{scenario} after {step:?}: {text}"))?;
    }
    Ok((run.disk.take_history(), run.worlds))
}

struct Shared<'a> {
    scenario: &'a Scenario,
    wrap: &'a Wrap,
    budget: Budget,
    moments: &'a [Moment],
    worlds: &'a [World],
    /// What was judged behind one power cut, and behind two.
    seen: [Seen; 2],
    first: AtomicUsize,
    second: AtomicUsize,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Shared<'_> {
    fn work(&self) -> Option<String> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let moment = self.moments.get(number)?;
            for end in ends(moment, number, self.budget) {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                if let Err(failure) = self.judge(number, moment, end) {
                    self.stop.store(true, Ordering::Relaxed);
                    return Some(failure);
                }
            }
        }
    }

    fn judge(&self, number: usize, moment: &Moment, end: End) -> Result<(), String> {
        let disk = end.of(moment);
        let world = &self.worlds[moment.mark];
        if !self.seen[0].is_new(&disk, end, world) {
            return Ok(());
        }
        self.first.fetch_add(1, Ordering::Relaxed);
        let spec = format!("crashes/{}/{number}/{end}", self.scenario);
        disk.record();
        let (moments, worlds) = judge(self.scenario, self.wrap, disk, end, world)
            .map_err(|text| format!("{spec}: {text}"))?;
        let mut random = Random(XxHash3_64::oneshot(spec.as_bytes()));
        // Behind a kill: what was only in the kernel's memory, and what came after it, in the end.
        let last = (moments.len() - 1, End::crash(0));
        let drawn = (0..self.budget.second_crashes)
            .map(|_| (random.below(moments.len()), End::Crash(random.survivors())));
        let behind_a_kill = matches!(end, End::Kill).then_some(last);
        for (number, end) in drawn.chain(behind_a_kill).collect::<Vec<_>>() {
            let moment = &moments[number];
            let (disk, world) = (end.of(moment), &worlds[moment.mark]);
            if !self.seen[1].is_new(&disk, end, world) {
                continue;
            }
            self.second.fetch_add(1, Ordering::Relaxed);
            judge(self.scenario, self.wrap, disk, end, world)
                .map_err(|text| format!("{spec}/{number}/{end}: {text}"))?;
        }
        Ok(())
    }
}

/// The states that were judged: what is on the disk, and what must be found there.
#[derive(Default)]
pub(crate) struct Seen(Mutex<HashSet<(u64, u64)>>);

impl Seen {
    /// Whether this one was not judged before. A kill leaves more than what is on the disk.
    pub(crate) fn is_new(&self, disk: &SimulatedDisk, end: End, world: &World) -> bool {
        let state = (disk.digest(), world.digest());
        matches!(end, End::Kill)
            || self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(state)
    }
}

/// How a program ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Crash(Survivors),
    Kill,
}

impl End {
    pub(crate) fn crash(survivors: u128) -> Self {
        Self::Crash(Survivors(survivors))
    }

    pub(crate) fn of(self, moment: &Moment) -> SimulatedDisk {
        match self {
            Self::Crash(survivors) => moment.after_crash(survivors),
            Self::Kill => moment.after_kill(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "kill" => Some(Self::Kill),
            bits => u128::from_str_radix(bits, 16).ok().map(|it| Self::Crash(Survivors(it))),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(Survivors(bits)) => write!(f, "{bits:x}"),
            Self::Kill => f.write_str("kill"),
        }
    }
}

/// The ends to look at in one moment.
fn ends(moment: &Moment, number: usize, budget: Budget) -> Vec<End> {
    let count = moment.undecided().min(127);
    let mut ends = vec![End::Kill];
    let mut random = Random(number as u64);
    if count <= budget.all_subsets_of {
        let all = (0..1u128 << count).map(|bits| Survivors(bits | random.filler()));
        ends.extend(all.map(End::Crash));
        return ends;
    }
    let all = (1u128 << count) - 1;
    let mut add = |bits: u128| ends.push(End::Crash(Survivors(bits)));
    add(0);
    add(all);
    // One alone survives, or is lost.
    for one in (0..count).step_by(count / (2 * budget.samples).max(1) + 1) {
        add(1 << one);
        add(all & !(1 << one));
    }
    for _ in 0..budget.samples {
        add(random.survivors().0 & (all | 1 << 127));
    }
    ends
}

/// Looks at what a crash left, goes on, and looks again. Gives what happened meanwhile, if the disk
/// records it.
pub(crate) fn judge(
    scenario: &Scenario,
    wrap: &Wrap,
    disk: SimulatedDisk,
    end: End,
    world: &World,
) -> Result<Recorded, String> {
    let outside = disk.digest_without(Path::new(scenario.location));
    let mut run = Run::on(disk.clone(), wrap, scenario, world.clone())
        .map_err(|error| format!("open: {error:?}"))?;
    let found = run.observe()?;
    let next = next_steps(scenario, &found, world.in_flight);
    if let End::Crash(_) = end {
        // What was found is on the disk now. After a kill it may be in the kernel's memory only.
        run.world = found;
    } else {
        run.world.saw(&found);
        run.world.forget_moved(&found);
    }
    run.worlds = vec![run.world.clone()];
    for step in &next {
        run.step(*step).map_err(|error| format!("then {step:?}: {error:?}"))?;
        run.observe().map_err(|text| format!("then {step:?}: {text}"))?;
        if *step == Step::Sweep {
            run.check_swept()?;
        }
    }
    for step in &next {
        if let Step::Save(id, _) = step
            && run.world.is_present(id)
        {
            run.check_tidy(id)?;
        }
    }
    if disk.digest_without(Path::new(scenario.location)) != outside && world.has_repository() {
        return Err("something outside the repository changed".to_owned());
    }
    Ok((disk.take_history(), run.worlds))
}

/// What a program does next: what it was at once more, and in any case a save in every session.
fn next_steps(scenario: &Scenario, found: &World, in_flight: Option<Step>) -> Vec<Step> {
    let mut steps = Vec::new();
    if scenario.steps.contains(&Step::Unlock("a")) {
        // Where nobody can prove that PlainBox ended, a person has to say so.
        steps.extend(found.sessions.keys().map(|id| Step::Unlock(id)));
    }
    let is_there = |id: Id| found.is_present(id);
    let to_repair =
        |step: &&Step| matches!(step, Step::Repair(id) if found.sessions[id].is_damaged);
    steps.extend(scenario.steps.iter().find(to_repair));
    match in_flight {
        Some(Step::Trash(id) | Step::PutBack(id) | Step::EmptyTrash(id)) => {
            if is_there(id) && in_flight == Some(Step::Trash(id)) {
                steps.push(Step::Trash(id));
            }
            let in_trash = found.sessions[id].in_trash == Presence::Sure;
            if in_trash || !steps.is_empty() {
                steps.extend([Step::PutBack(id), Step::Save(id, 10)]);
            }
            steps.push(Step::Sweep);
        }
        Some(Step::Remove(id)) if is_there(id) => {
            steps.extend([Step::Remove(id), Step::Create(id), Step::Save(id, 10)]);
        }
        Some(step @ (Step::Convert(..) | Step::GiveUp(..))) => steps.push(step),
        Some(step @ (Step::Copy(id) | Step::Import(id))) => {
            steps.extend([step, Step::Save(id, 10)])
        }
        Some(step @ Step::Fork(_, id)) if !is_there(id) => {
            steps.extend([step, Step::Save(id, 10)]);
        }
        Some(step @ (Step::MakeLast(_) | Step::RepairLast)) => steps.push(step),
        Some(
            Step::Create(id)
            | Step::Replace(id)
            | Step::Foreign(id)
            | Step::Save(id, _)
            | Step::Stream(id, _)
            | Step::Follow(id, _)
            | Step::Remove(id),
        ) if !is_there(id) => steps.extend([Step::Sweep, Step::Create(id), Step::Save(id, 10)]),
        _ => (),
    }
    let is_mentioned = |id: Id| steps.contains(&Step::Save(id, 10));
    let others = found.sessions.keys().copied().filter(|id| is_there(id) && !is_mentioned(id));
    let next = |id: Id| match found.sessions[id].payloads.last() {
        // A delta pays.
        Some(Some(newest @ STATE..LARGE)) => newest + 1,
        _ => 11,
    };
    let saves: Vec<Step> = others.map(|id| Step::Save(id, next(id))).collect();
    steps.extend(saves);
    steps
}

/// Judges one state.
fn replay(spec: &str) -> Verdict {
    let mut parts = spec.split('/');
    let name: Vec<&str> = parts.by_ref().take(2).collect();
    let name = name.join("/");
    let all = scenarios();
    let scenario = all.iter().find(|scenario| scenario.to_string() == name);
    let mut verdict =
        Verdict { scenario: "replay".to_owned(), moments: 1, states: (1, 0), failure: None };
    let outcome = scenario.ok_or_else(|| format!("there is no scenario '{name}'")).and_then(|it| {
        let wrap = plain();
        let (mut moments, mut worlds) = record(it, &wrap)?;
        while let (Some(number), Some(end)) = (parts.next(), parts.next()) {
            let wrong = || format!("'{spec}' names no state");
            let moment: usize = number.parse().map_err(|_| wrong())?;
            let moment = moments.get(moment).ok_or_else(wrong)?;
            let end = End::parse(end).ok_or_else(wrong)?;
            let world = &worlds[moment.mark];
            let disk = end.of(moment);
            disk.record();
            (moments, worlds) = judge(it, &wrap, disk, end, world)?;
        }
        Ok(())
    });
    verdict.failure = outcome.err().map(|text| format!("{spec}: {text}"));
    verdict
}
