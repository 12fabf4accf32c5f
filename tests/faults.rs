//! Every call of the system fails with every error, at every moment.

use pitstop::testing;

#[test]
fn every_call_may_fail_with_every_error() {
    let verdicts = testing::faults();
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let faults: usize = verdicts.iter().map(|verdict| verdict.faults).sum();
    println!("{faults} faults");
    assert!(verdicts.iter().all(|verdict| verdict.failures.is_empty()));
}
