//! What a reader is told was true at some moment while it asked, whatever a writer does meanwhile.

#[test]
fn every_answer_was_true_while_it_was_asked_for() {
    const SAMPLES: usize = 300;
    let verdicts = pitstop_testing::readers(SAMPLES);
    let (mut schedules, mut overtaken) = (0, 0);
    for verdict in &verdicts {
        println!("{verdict}");
        schedules += verdict.schedules;
        overtaken += verdict.overtaken;
    }
    println!("{schedules} schedules, and in {overtaken} the writer overtook the reader");
    assert!(verdicts.iter().all(|verdict| verdict.failures.is_empty()));
    let is_part =
        ["PITSTOP_REPLAY", "PITSTOP_SCENARIO"].iter().any(|it| std::env::var_os(it).is_some());
    assert!(is_part || (schedules >= 100_000 && overtaken >= 10_000));
}
