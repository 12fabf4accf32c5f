//! Every promise, after a power cut or a kill at every moment.

use pitstop_testing::Budget;

#[test]
fn every_promise_holds_after_a_crash_at_every_moment() {
    let verdicts = pitstop_testing::crashes(Budget::default());
    let mut states = 0;
    for verdict in &verdicts {
        println!("{verdict}");
        states += verdict.states.0 + verdict.states.1;
    }
    println!("{states} states judged");
    let is_part =
        ["PITSTOP_REPLAY", "PITSTOP_SCENARIO"].iter().any(|it| std::env::var_os(it).is_some());
    assert!(states >= 100_000 || is_part);
    assert!(verdicts.iter().all(|verdict| verdict.failure.is_none()));
}
