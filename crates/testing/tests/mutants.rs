//! The tests of the promises bite: each fails for the library without one of its precautions.

#[test]
fn no_link_leads_out_of_a_repository() {
    let (repositories, calls) = pitstop_testing::traps().unwrap();
    println!("{repositories} repositories full of links, a link laid before each of {calls} calls");
}

/// Calls that no suite here fails without yet. What they do is shown by `places` and by `tests/mounts.rs`; that they
/// follow no link, and that a removal in place is durable, is not.
const NOT_SHOWN: [&str; 5] = [
    "OpenDirectory src/directory/remove/in_place.rs",
    "Entries src/directory/remove/in_place.rs",
    "SyncDirectory src/directory/remove/in_place.rs",
    "Entries src/directory/touch.rs",
    // The flush of a conversion to plain that finds it done.
    "SyncDirectory src/directory/convert.rs:39:",
];

#[test]
fn every_precaution_is_needed() {
    assert!(pitstop_testing::traps().is_ok(), "nothing is broken without a mutant");
    let mutants = pitstop_testing::mutants();
    for mutant in &mutants {
        println!("{mutant}");
    }
    let survivors: Vec<_> = mutants.iter().filter(|mutant| mutant.killed_by.is_none()).collect();
    println!("{} of {} mutants killed", mutants.len() - survivors.len(), mutants.len());
    let is_known =
        |it: &&&pitstop_testing::Mutant| NOT_SHOWN.iter().any(|known| it.call.starts_with(known));
    let new: Vec<_> = survivors.iter().filter(|it| !is_known(it)).collect();
    assert!(new.is_empty(), "{new:?}");
}
