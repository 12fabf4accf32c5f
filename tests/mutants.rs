//! The tests of the promises bite: each fails for the library without one of its precautions.

use pitstop::testing;

#[test]
fn no_link_leads_out_of_a_repository() {
    let (repositories, calls) = testing::traps().unwrap();
    println!("{repositories} repositories full of links, a link laid before each of {calls} calls");
}

/// Precautions that these suites do not miss, and what does.
const SHOWN_ELSEWHERE: [&str; 3] = [
    // What was no link at `last-session` is kept: see `bad_entries`.
    "Link src/directory/last.rs",
    // A link that came in a race goes back: the scenario `last-is-made-in-a-repair` of the faults.
    "Rename src/directory/verify.rs",
    // That what was moved aside stays there: after a power cut the suites repair once more, so nothing yet.
    "SyncDirectory src/directory/verify.rs",
];

#[test]
fn every_precaution_is_needed() {
    assert!(testing::traps().is_ok(), "nothing is broken without a mutant");
    let mutants = testing::mutants();
    for mutant in &mutants {
        println!("{mutant}");
    }
    let survivors: Vec<_> = mutants.iter().filter(|mutant| mutant.killed_by.is_none()).collect();
    println!("{} of {} mutants killed", mutants.len() - survivors.len(), mutants.len());
    let is_shown = |call: &str| SHOWN_ELSEWHERE.iter().any(|it| call.starts_with(it));
    assert!(survivors.iter().all(|it| is_shown(&it.call)), "{survivors:?}");
}
