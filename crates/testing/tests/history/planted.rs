//! Histories with a fault that is known are refused, and sound ones are not.

use pitstop_testing::history::{Call, Down, History, Item, Limits, Op, Outcome, check, liveness};

/// One operation: who, from when to when, what, and what was told.
type Line = (usize, u64, u64, Call, Outcome);

fn history(lines: &[Line], down: &[Down]) -> History {
    let op = |(client, start, end, call, outcome): &Line| Op {
        client: *client,
        start: *start,
        end: *end,
        call: call.clone(),
        outcome: outcome.clone(),
    };
    // Each begins with a session that was saved once.
    let mut ops = vec![
        op(&(9, 1, 2, create(), Outcome::Done)),
        op(&(9, 3, 4, save(1, None), Outcome::Saved(1))),
    ];
    ops.extend(lines.iter().map(op));
    History { ops, down: down.to_vec(), locks: false }
}

/// The index of the first line's operation.
const FIRST: usize = 2;

#[track_caller]
fn assert_sound(lines: &[Line], down: &[Down]) {
    check(&history(lines, down)).unwrap_or_else(|violation| panic!("{violation}"));
}

#[track_caller]
fn assert_refused(lines: &[Line], down: &[Down], reason: &str) {
    let violation = check(&history(lines, down)).expect_err("it cannot be true").to_string();
    assert!(violation.contains(reason), "{violation}");
}

const NONE: &str = "no order of the operations";

fn name() -> String {
    "job".to_owned()
}

fn create() -> Call {
    Call::Create { name: name() }
}

fn save(payload: u64, follows: Option<u64>) -> Call {
    Call::Save { name: name(), payload, follows }
}

fn load() -> Call {
    Call::Load { name: name() }
}

fn loaded(revision: u64, payload: u64) -> Outcome {
    Outcome::Loaded { revision, payload }
}

fn acquire() -> Call {
    Call::Acquire { name: name() }
}

fn write(place: usize, payload: u64) -> Call {
    Call::Write { place, payload, follows: None }
}

fn item() -> Item {
    Item { name: name(), removed: 7 }
}

fn kept(kept: &[(u64, u64)]) -> Outcome {
    Outcome::Kept(kept.to_vec())
}

fn stood_still(client: usize) -> Down {
    Down { client, from: 10, until: Some(50) }
}

fn killed(client: usize) -> Down {
    Down { client, from: 10, until: None }
}

#[test]
fn what_happened_at_once_has_some_order() {
    let two = [
        (0, 10, 20, save(2, None), Outcome::Saved(3)),
        (1, 11, 19, save(3, None), Outcome::Saved(2)),
    ];
    assert_sound(&two, &[]);
    // A load beside a save sees what was before or after.
    for seen in [loaded(1, 1), loaded(2, 2)] {
        let lines = [(0, 10, 20, save(2, None), Outcome::Saved(2)), (1, 12, 15, load(), seen)];
        assert_sound(&lines, &[]);
    }
}

#[test]
fn an_unknown_save_counts_once_late_or_never() {
    let unknown = (0, 10, 20, save(2, None), Outcome::Unknown);
    let (before, after) = (loaded(1, 1), loaded(2, 2));
    let loads = |first: &Outcome, second: &Outcome| {
        [unknown.clone(), (1, 30, 31, load(), first.clone()), (1, 40, 41, load(), second.clone())]
    };
    assert_sound(&loads(&before, &before), &[]);
    assert_sound(&loads(&before, &after), &[]);
    assert_refused(&loads(&after, &before), &[], NONE);
}

#[test]
fn a_save_that_counts_twice_is_seen() {
    let lines = [
        (0, 10, 20, save(2, None), Outcome::Saved(2)),
        (1, 30, 31, load(), loaded(2, 2)),
        (1, 40, 41, load(), loaded(3, 2)),
    ];
    assert_refused(&lines, &[], "save #2 counts twice");
    let in_history = [
        lines[0].clone(),
        (1, 30, 31, Call::History { name: name() }, kept(&[(3, 2), (2, 2), (1, 1)])),
    ];
    assert_refused(&in_history, &[], "save #2 counts twice");
}

#[test]
fn a_save_that_was_refused_and_counts_is_seen() {
    for refused in
        [Outcome::Failed, Outcome::Conflict { found: 0 }, Outcome::Busy, Outcome::NotFound]
    {
        let lines = [(0, 10, 20, save(2, Some(1)), refused), (1, 30, 31, load(), loaded(2, 2))];
        assert_refused(&lines, &[], "save #2 was refused");
    }
}

#[test]
fn a_save_that_is_lost_is_seen() {
    let lines = [(0, 10, 20, save(2, None), Outcome::Saved(2)), (1, 30, 31, load(), loaded(1, 1))];
    assert_refused(&lines, &[], NONE);
    // Also where it is missing only below the newest.
    let lines = [
        (0, 10, 20, save(2, None), Outcome::Saved(2)),
        (0, 30, 31, save(3, None), Outcome::Saved(3)),
        (1, 40, 41, Call::History { name: name() }, kept(&[(3, 3), (1, 1)])),
    ];
    assert_refused(&lines, &[], NONE);
}

#[test]
fn a_revision_that_does_not_rise_is_seen() {
    for (first, second) in [(2, 2), (3, 2), (2, 4)] {
        let lines = [
            (0, 10, 20, save(2, None), Outcome::Saved(first)),
            (0, 30, 40, save(3, None), Outcome::Saved(second)),
        ];
        assert_refused(&lines, &[], NONE);
    }
}

#[test]
fn a_load_of_what_was_replaced_is_seen() {
    let lines = [
        (0, 10, 20, save(2, None), Outcome::Saved(2)),
        (1, 15, 25, load(), loaded(2, 2)),
        (2, 26, 27, load(), loaded(1, 1)),
    ];
    assert_refused(&lines, &[], NONE);
}

#[test]
fn a_save_that_does_not_follow_is_seen() {
    let both = [
        (0, 10, 20, save(2, Some(1)), Outcome::Saved(2)),
        (1, 10, 20, save(3, Some(1)), Outcome::Saved(3)),
    ];
    assert_refused(&both, &[], NONE);
    let refused =
        |found| [both[0].clone(), (1, 10, 20, save(3, Some(1)), Outcome::Conflict { found })];
    assert_sound(&refused(2), &[]);
    assert_refused(&refused(1), &[], NONE);
    assert_refused(&[(1, 10, 20, save(3, Some(1)), Outcome::Conflict { found: 2 })], &[], NONE);
}

#[test]
fn a_live_writer_that_loses_its_place_is_seen() {
    let lines = [
        (0, 10, 11, acquire(), Outcome::Done),
        (1, 100, 101, acquire(), Outcome::Done),
        (1, 110, 111, write(FIRST + 1, 2), Outcome::Saved(2)),
    ];
    assert_refused(&lines, &[], NONE);
    assert_sound(&lines, &[stood_still(0)]);
    assert_refused(&lines, &[stood_still(1)], NONE);
    // One that is displaced saves no more, and is told so only then.
    let woken = |told| [&lines[..], &[(0, 120, 121, write(FIRST, 3), told)]].concat();
    assert_sound(&woken(Outcome::Conflict { found: 2 }), &[stood_still(0)]);
    assert_refused(&woken(Outcome::Saved(3)), &[stood_still(0)], NONE);
    let never_displaced =
        [lines[0].clone(), (0, 120, 121, write(FIRST, 3), Outcome::Conflict { found: 1 })];
    assert_refused(&never_displaced, &[stood_still(0)], NONE);
}

#[test]
fn who_is_kept_out_by_the_dead_is_seen() {
    let minutes = 60_000_000_000;
    let busy =
        |at| [(0, 10, 11, acquire(), Outcome::Done), (1, at, at + 1, acquire(), Outcome::Busy)];
    assert_sound(&busy(minutes), &[killed(0)]);
    assert_refused(&busy(4 * minutes), &[killed(0)], NONE);
    assert_sound(&busy(4 * minutes), &[stood_still(0)]);
    assert_refused(&busy(minutes)[1..], &[], NONE);
}

#[test]
fn a_session_that_is_lost_in_the_trash_or_comes_back_twice_is_seen() {
    let trash = (0, 10, 20, Call::Trash { name: name() }, Outcome::Trashed(item()));
    let list = |items: &[Item]| (1, 30, 31, Call::ListTrash, Outcome::Items(items.to_vec()));
    let restore = |at, to: &str, told| {
        let call = Call::Restore { item: item(), name: to.to_owned() };
        (1, at, at + 1, call, told)
    };
    assert_sound(&[trash.clone(), list(&[item()]), restore(40, "other", Outcome::Done)], &[]);
    assert_refused(&[trash.clone(), list(&[])], &[], NONE);
    let delete = (1, 40, 41, Call::Delete { item: item() }, Outcome::Done);
    assert_sound(&[trash.clone(), delete.clone()], &[]);
    assert_refused(&[trash.clone(), delete, restore(50, "other", Outcome::Done)], &[], NONE);
    let twice =
        [trash.clone(), restore(40, "one", Outcome::Done), restore(50, "two", Outcome::Done)];
    assert_refused(&twice, &[], NONE);
    // Of an unknown removal either is true, but not both.
    let unknown = (0, 10, 20, Call::Trash { name: name() }, Outcome::Unknown);
    let gone = (1, 40, 41, load(), Outcome::NotFound);
    assert_sound(&[unknown.clone(), list(&[item()]), gone.clone()], &[]);
    assert_sound(&[unknown.clone(), list(&[]), (1, 40, 41, load(), loaded(1, 1))], &[]);
    assert_refused(&[unknown, list(&[item()]), (1, 40, 41, load(), loaded(1, 1))], &[], NONE);
    assert_refused(&[gone], &[], NONE);
}

#[test]
fn what_no_client_may_be_told_is_seen() {
    let lines = [(0, 10, 20, load(), Outcome::Wrong("damage".to_owned()))];
    assert_refused(&lines, &[], "what none may be told");
}

#[test]
fn who_waits_too_long_or_fails_in_a_calm_is_seen() {
    let limits = Limits { longest: 100, calm_from: 3 };
    let judge = |lines: &[Line], down: &[Down]| liveness(&history(lines, down), limits);
    let long = [(0, 10, 150, load(), loaded(1, 1))];
    assert!(judge(&long, &[]).is_err() && judge(&long, &[stood_still(0)]).is_ok());
    let busy = (0, 10, 20, load(), Outcome::Busy);
    assert!(judge(std::slice::from_ref(&busy), &[]).is_ok());
    assert!(judge(&[busy.clone(), busy], &[]).is_err());
}
