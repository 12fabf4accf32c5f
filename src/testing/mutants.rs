//! The library with one of its precautions taken out: some promise must break.
//!
//! Each call of a sync, a rename or a link, by its line in the source, is made to do nothing; each
//! one that opens or looks at a name is made to follow a link that it should refuse or report.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::containment::{containment, plainbox_is_kept_out, races};
use super::crash::{Budget, crash, plain};
use super::disk::{Quirk, SimulatedDisk};
use super::faults::fail;
use super::hook::{Action, Call, HookedDisk, Operation, Site};
use super::run::Wrap;
use super::scenario::scenarios;
use crate::backend::Format;

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

/// Takes out each precaution in turn.
pub fn mutants() -> Vec<Mutant> {
    let all: Vec<Precaution> = precautions().into_iter().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(precaution) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let killed_by = catch_unwind(AssertUnwindSafe(|| kill(*precaution)))
                .unwrap_or_else(|_| Some("a panic".to_owned()));
            let (operation, file, line, column) = precaution;
            let call = format!("{operation:?} {file}:{line}:{column}");
            done.push(Mutant { call, killed_by });
        }
        done
    };
    let mut mutants: Vec<Mutant> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    mutants.sort_by(|a, b| a.call.cmp(&b.call));
    mutants
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

const BUDGET: Budget = Budget { all_subsets_of: 5, samples: 40, second_crashes: 2, threads: 1 };

/// The scenarios whose calls fail, too.
const FAILING: [&str; 4] = ["create", "saves", "remove", "trash"];

/// Every precaution that the suites come by.
fn precautions() -> BTreeSet<Precaution> {
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
    let _ = (containment(&wrap), races(&wrap));
    let few = Budget { all_subsets_of: 1, samples: 5, second_crashes: 1, threads: 1 };
    for scenario in scenarios() {
        crash(&scenario, &wrap, few);
        // What is done only after a failure.
        if FAILING.contains(&scenario.name) {
            fail(&scenario, &wrap);
        }
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.clone()
}

/// What breaks without this one.
fn kill(without: Precaution) -> Option<String> {
    let wrap: Wrap = Arc::new(move |disk: SimulatedDisk| {
        let quirks = disk.clone();
        Arc::new(HookedDisk::new(Arc::new(disk), move |call| {
            if precaution(call) != Some(without) {
                return Action::Pass;
            }
            match call.operation {
                Operation::SyncDirectory
                | Operation::SyncFile
                | Operation::Rename
                | Operation::Link => Action::Skip,
                _ => {
                    quirks.set_quirk(Quirk::FollowLink);
                    Action::Pass
                }
            }
        }))
    });
    let kept =
        containment(&wrap).and_then(|_| races(&wrap)).and_then(|_| plainbox_is_kept_out(&wrap));
    if let Err(failure) = kept {
        return Some(failure);
    }
    let mut all = scenarios();
    all.sort_by_key(|scenario| {
        let is_journal = without.1.contains("journal");
        (scenario.steps.len() > 20, is_journal != (scenario.format == Format::Journal))
    });
    all.iter().find_map(|scenario| crash(scenario, &wrap, BUDGET).failure).or_else(|| {
        let mut some = all.iter().filter(|scenario| FAILING.contains(&scenario.name));
        some.find_map(|scenario| fail(scenario, &wrap).failures.into_iter().next())
    })
}

/// Does everything with repositories that are full of links to what is outside, which must not even
/// be looked at; puts such a link in place of each name just before it is used; and sees that PlainBox
/// is kept out while Pitstop saves. Says how many repositories and calls these are.
///
/// # Errors
/// What broke.
pub fn traps() -> Result<(usize, usize), String> {
    plainbox_is_kept_out(&plain())?;
    Ok((containment(&plain())?, races(&plain())?))
}
