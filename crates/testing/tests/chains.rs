//! Chains of crashes: no save that did not happen comes to life or gives anything up, and no number is given twice.

#[test]
fn every_chain_of_crashes_leaves_what_was_saved() {
    const CHAINS: usize = 4000;
    let verdicts = pitstop_testing::chains(CHAINS);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    assert!(verdicts.iter().all(|verdict| verdict.failures.is_empty()));
}
