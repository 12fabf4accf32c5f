//! The tests of the promises bite: each fails for the library without one of its precautions.

use pitstop::testing;

#[test]
fn no_link_leads_out_of_a_repository() {
    let (repositories, calls) = testing::traps().unwrap();
    println!("{repositories} repositories full of links, a link laid before each of {calls} calls");
}

#[test]
fn every_precaution_is_needed() {
    assert!(testing::traps().is_ok(), "nothing is broken without a mutant");
    let mutants = testing::mutants();
    for mutant in &mutants {
        println!("{mutant}");
    }
    let survivors = mutants.iter().filter(|mutant| mutant.killed_by.is_none()).count();
    println!("{} of {} mutants killed", mutants.len() - survivors, mutants.len());
    assert_eq!(survivors, 0);
}
