//! The library with one of its precautions taken out: some promise must break.
//!
//! Each call of a sync, a rename or a link, by its line in the source, is made to do nothing; each
//! one that opens or looks at a name is made to follow a link that it should refuse or report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::containment::{containment, plainbox_is_kept_out, races};
use super::crash::{Budget, crash, plain};
use super::disk::{Quirk, SimulatedDisk};
use super::faults::fail;
use super::hook::{Action, Call, HookedDisk, Operation, Site};
use super::parallel;
use super::run::Wrap;
use super::scenario::{Scenario, scenarios};

/// One precaution, and what broke without it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mutant {
    /// The call that was taken out, and where it is in the source.
    pub call: String,
    /// The first promise that broke; `None` if none did.
    pub killed_by: Option<String>,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.killed_by.as_deref().unwrap_or("SURVIVED");
        write!(f, "{:60} {outcome}", self.call)
    }
}

type Precaution = (Operation, &'static str, u32, u32);

/// One of the suites, on one scenario where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suite {
    Containment,
    Races(usize),
    PlainBoxIsKeptOut,
    Crashes(usize),
    Faults(usize),
}

const BUDGET: Budget = Budget { all_subsets_of: 5, samples: 40, second_crashes: 2, threads: 1 };
/// Enough to come by every line.
const FEW: Budget = Budget { all_subsets_of: 1, samples: 5, second_crashes: 1, threads: 1 };

/// The scenarios whose calls fail, too.
const FAILING: [&str; 4] = ["create", "saves", "remove", "trash"];

impl Suite {
    fn all(scenarios: &[Scenario]) -> Vec<Self> {
        let mut all = vec![Self::Containment, Self::PlainBoxIsKeptOut];
        for (n, scenario) in scenarios.iter().enumerate() {
            all.push(Self::Crashes(n));
            if scenario.is_short() {
                all.push(Self::Races(n));
            }
            if FAILING.contains(&scenario.name) {
                all.push(Self::Faults(n));
            }
        }
        all
    }

    /// What it finds wrong.
    fn run(self, scenarios: &[Scenario], wrap: &Wrap, budget: Budget) -> Option<String> {
        match self {
            Self::Containment => containment(wrap).err(),
            Self::PlainBoxIsKeptOut => plainbox_is_kept_out(wrap).err(),
            Self::Races(n) => races(&scenarios[n], wrap).err(),
            Self::Crashes(n) => crash(&scenarios[n], wrap, budget).failure,
            Self::Faults(n) => fail(&scenarios[n], wrap).failures.into_iter().next(),
        }
    }
}

/// Takes out each precaution in turn.
pub fn mutants() -> Vec<Mutant> {
    let mut scenarios = scenarios();
    scenarios.sort_by_key(|scenario| scenario.steps.len());
    let all: Vec<_> = precautions(&scenarios).into_iter().collect();
    parallel::map(&all, |(precaution, come_by)| {
        let killed_by = catch_unwind(AssertUnwindSafe(|| kill(*precaution, come_by, &scenarios)))
            .unwrap_or_else(|_| Some("a panic".to_owned()));
        let (operation, file, line, column) = precaution;
        Mutant { call: format!("{operation:?} {file}:{line}:{column}"), killed_by }
    })
}

fn precaution(call: &Call) -> Option<Precaution> {
    use Operation::*;
    let is_one = match call.operation {
        SyncDirectory | SyncFile | Rename | Link | Entries => true,
        OpenDirectory | OpenFile | CreateFile | Metadata => call.name.is_some_and(|it| it != ".."),
        _ => false,
    };
    is_one.then(|| at(call.operation, call.site)).flatten()
}

fn at(operation: Operation, site: Site) -> Option<Precaution> {
    site.map(|site| (operation, site.file(), site.line(), site.column()))
}

/// Every precaution, and the suites that come by it.
fn precautions(scenarios: &[Scenario]) -> BTreeMap<Precaution, Vec<Suite>> {
    let suites = Suite::all(scenarios);
    let come_by = parallel::map(&suites, |suite| {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let note = seen.clone();
        let wrap: Wrap = Arc::new(move |disk| {
            let note = note.clone();
            Arc::new(HookedDisk::new(Arc::new(disk), move |call| {
                let mut note = note.lock().unwrap_or_else(PoisonError::into_inner);
                note.extend(precaution(call));
                Action::Pass
            }))
        });
        suite.run(scenarios, &wrap, FEW);
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    });
    let mut all = BTreeMap::<Precaution, Vec<Suite>>::new();
    for (suite, seen) in suites.iter().zip(come_by) {
        for precaution in seen {
            all.entry(precaution).or_default().push(*suite);
        }
    }
    all
}

/// What breaks without this one. Those that are known to come by it are asked first.
fn kill(without: Precaution, come_by: &[Suite], scenarios: &[Scenario]) -> Option<String> {
    use Operation::*;
    let does_something = matches!(without.0, SyncDirectory | SyncFile | Rename | Link);
    let wrap: Wrap = Arc::new(move |disk: SimulatedDisk| {
        let quirks = disk.clone();
        Arc::new(HookedDisk::new(Arc::new(disk), move |call| {
            if precaution(call) != Some(without) {
                return Action::Pass;
            }
            if does_something {
                return Action::Skip;
            }
            quirks.set_quirk(Quirk::FollowLink);
            Action::Pass
        }))
    });
    let mut suites = Suite::all(scenarios);
    suites.sort_by_key(|suite| {
        // What follows a link is seen where links are laid.
        let is_likely = match suite {
            Suite::Containment | Suite::Races(_) => !does_something,
            _ => does_something,
        };
        (!come_by.contains(suite), !is_likely, matches!(suite, Suite::Faults(_)))
    });
    suites.iter().find_map(|suite| suite.run(scenarios, &wrap, BUDGET))
}

/// Does everything with repositories that are full of links to what is outside, which must not even
/// be looked at; puts such a link in place of each name just before it is used; and sees that PlainBox
/// is kept out while Pitstop saves. Says how many repositories and calls these are.
///
/// # Errors
/// What broke.
pub fn traps() -> Result<(usize, usize), String> {
    plainbox_is_kept_out(&plain())?;
    let mut calls = 0;
    for scenario in scenarios().iter().filter(|scenario| scenario.is_short()) {
        calls += races(scenario, &plain())?;
    }
    Ok((containment(&plain())?, calls))
}
