//! The tests of the promises bite: each fails for the library without one of its precautions.

#[test]
fn no_link_leads_out_of_a_repository() {
    let (repositories, calls) = pitstop_testing::traps().unwrap();
    println!("{repositories} repositories full of links, a link laid before each of {calls} calls");
}

#[test]
fn every_precaution_is_needed() {
    assert!(pitstop_testing::traps().is_ok(), "nothing is broken without a mutant");
    let mutants = pitstop_testing::mutants();
    for mutant in &mutants {
        println!("{mutant}");
    }
    let survivors: Vec<_> = mutants.iter().filter(|mutant| mutant.killed_by.is_none()).collect();
    println!("{} of {} mutants killed", mutants.len() - survivors.len(), mutants.len());
    assert!(survivors.is_empty(), "{survivors:?}");
}
