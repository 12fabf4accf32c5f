//! What a program does with a repository, step by step, and what was promised to it at each.

use std::fmt;

use super::disk::{SimulatedDisk, Traits};
use super::hook::Operation;
use super::payload::{HUGE, LARGE, NOISE, STATE};
use super::step::{Harm, Step};
use pitstop::Format;

/// Somebody comes in between, once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meanwhile {
    /// Before which call: what it does, with which name, and how many such calls are let by.
    pub before: (Operation, &'static str, usize),
    pub act: fn(&SimulatedDisk),
}

/// A run of steps, of which each moment is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub name: &'static str,
    /// Of the sessions that Pitstop makes in it.
    pub format: Format,
    /// Where the repository is.
    pub location: &'static str,
    /// What was done before.
    pub given: Vec<Step>,
    pub steps: Vec<Step>,
    /// Of the file system.
    pub traits: Traits,
    /// What somebody else does just before a call.
    pub meanwhile: Option<Meanwhile>,
}

impl Scenario {
    /// What a long one does, a short one does too.
    pub(crate) fn is_short(&self) -> bool {
        self.steps.len() <= 8
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.format, self.name)
    }
}

/// What lies beside the repository, and must stay as it is.
pub(crate) const OUTSIDE: &str = "/home/outside";
pub(crate) const NEAR: &str = "/home/user/sessions";
/// Another repository, to copy from.
pub(crate) const SOURCE: &str = "/home/source";
/// The numbers and payloads of the session in it.
pub(crate) const COPIED: [(u64, u32); 3] = [(1, 3), (2, 2), (4, 6)];
/// A file that a program keeps in its session's directory, and in [`SOURCE`] a link to it.
pub(crate) const OWN_FILE: &str = "own/files/report";
pub(crate) const OWN_LINK: (&str, &str) = ("own/newest", "files/report");
const FAR: &str = "/home/user/.local/state/pitstop/sessions";

/// Those of both formats.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = of_both(Format::Plain);
    all.extend(of_plain());
    all.extend(moving(Format::Plain));
    all.extend(of_both(Format::Journal));
    all.extend(of_journals());
    all.extend(moving(Format::Journal));
    if let Ok(only) = std::env::var("PITSTOP_SCENARIO") {
        all.retain(|it| it.to_string() == only || it.name == only);
    }
    all
}

fn scenario(
    format: Format,
    name: &'static str,
    location: &'static str,
    given: &[Step],
    steps: &[Step],
) -> Scenario {
    let (given, steps) = (given.to_vec(), steps.to_vec());
    Scenario { name, format, location, given, steps, traits: Traits::ALL, meanwhile: None }
}

use Step::*;

const SAVED: [Step; 4] = [Create("a"), Save("a", 3), Create("b"), Save("b", 6)];

fn of_both(format: Format) -> Vec<Scenario> {
    let scenario = |name, location, given: &[Step], steps: &[Step]| {
        scenario(format, name, location, given, steps)
    };
    let saved = SAVED;
    let last = [saved.as_slice(), &[MakeLast("a")]].concat();
    vec![
        scenario("create", FAR, &[], &[Create("a"), Create("b")]),
        scenario("create-and-save", FAR, &[], &[Create("a"), Save("a", 2), Save("a", 3)]),
        scenario("first-save", NEAR, &[Create("a")], &[Save("a", 3)]),
        scenario(
            "saves",
            NEAR,
            &[Create("b"), Save("b", 2), Create("a"), Save("a", 1), Hold("a")],
            &[Save("a", 2), Save("a", 3), Save("a", 4), Save("a", 6), Save("a", 7), Release("a")],
        ),
        scenario("single-saves", NEAR, &saved, &[Save("a", 2), Save("a", 7), Save("a", 5)]),
        scenario("conditional", NEAR, &saved, &[Follow("a", 2), Follow("a", 7)]),
        scenario("streams", NEAR, &saved, &[Stream("a", NOISE), Stream("a", 0), Save("a", 2)]),
        scenario("look", NEAR, &last, &[Look("a"), Look("b")]),
        scenario("replace", NEAR, &last, &[Replace("n"), Save("n", 1), Save("n", 2)]),
        scenario(
            "replace-held",
            NEAR,
            &[last.as_slice(), &[Replace("n"), Hold("n")]].concat(),
            &[Save("n", 6), Save("n", 7), Release("n")],
        ),
        scenario(
            "replace-again",
            NEAR,
            &last,
            &[Replace("n"), Save("n", 1), Create("a"), Save("a", 2), Save("n", 2)],
        ),
        scenario("replace-none", FAR, &[], &[Replace("a"), Save("a", 1), Replace("b")]),
        scenario("last", NEAR, &saved, &[MakeLast("a"), MakeLast("b"), MakeLast("a")]),
        scenario(
            "last-moved",
            NEAR,
            &[saved.as_slice(), &[LeftLink("a"), LastIsFile]].concat(),
            &[MakeLast("a"), LastIsDirectory, MakeLast("b")],
        ),
        scenario(
            "unfinished",
            NEAR,
            &[saved.as_slice(), &[Unfinished("a")]].concat(),
            &[Save("a", 2), Unfinished("a"), Save("a", 7)],
        ),
        scenario(
            "remove",
            NEAR,
            &[last.as_slice(), &[OwnFiles("a")]].concat(),
            &[Remove("a"), Create("a"), Save("a", 1), Remove("b"), Remove("a")],
        ),
        scenario(
            "trash",
            NEAR,
            &[last.as_slice(), &[OwnFiles("a"), Debris("c"), Wait(4000)]].concat(),
            &[Trash("a"), PutBack("a"), Save("a", 2), Trash("b"), EmptyTrash("b"), Sweep],
        ),
        scenario(
            "verify",
            NEAR,
            &[last.as_slice(), &[Save("a", 6), Debris("c"), MakeLast("b"), Remove("b")]].concat(),
            &[Verify("a"), VerifyAll],
        ),
        scenario("repair", NEAR, &[&saved[..], &[Misplace("a")]].concat(), &[Repair("a")]),
        scenario(
            "repair-last",
            NEAR,
            &[&saved[..], &[LastIsDirectory]].concat(),
            &[RepairLast, LastIsFile, RepairLast],
        ),
        Scenario {
            meanwhile: Some(Meanwhile {
                before: (Operation::Rename, "last-session", 0),
                act: make_last_by_others,
            }),
            ..scenario(
                "repair-last-raced",
                NEAR,
                &[saved.as_slice(), &[MakeLast("b"), LastIsFile]].concat(),
                &[RepairLast, LastIs("b")],
            )
        },
        scenario(
            "takeover",
            FAR,
            &[Create("a"), Save("a", 1), Hold("a")],
            &[Save("a", 2), Kill, Save("a", 3), Hold("a"), Kill, Remove("a"), Kill, Create("a")],
        ),
    ]
}

fn moving(format: Format) -> Vec<Scenario> {
    let scenario = |name, location, given: &[Step], steps: &[Step]| {
        scenario(format, name, location, given, steps)
    };
    vec![
        scenario("copy", FAR, &[Source("a")], &[Copy("a"), Copy("a"), Save("a", 7)]),
        scenario(
            "copy-to-empty",
            NEAR,
            &[Source("a"), Create("a"), UnflushedFile("a")],
            &[Copy("a")],
        ),
        scenario(
            "convert",
            NEAR,
            &[&SAVED[..], &[Create("e")]].concat(),
            &[
                Convert("a", other(format)),
                Save("a", 7),
                Convert("e", other(format)),
                Convert("e", other(format)),
            ],
        ),
        scenario("export", NEAR, &[&SAVED[..], &[OwnFiles("a")]].concat(), &[Export("a")]),
        scenario("import", FAR, &[Source("a")], &[Import("a"), Save("a", 7)]),
        scenario("fork", NEAR, &[&SAVED[..], &[OwnFiles("a")]].concat(), &[Fork("a", "f")]),
    ]
}

fn other(format: Format) -> Format {
    match format {
        Format::Plain => Format::Journal,
        _ => Format::Plain,
    }
}

/// What PlainBox does, and what only a plain session has.
fn of_plain() -> Vec<Scenario> {
    let scenario = |name, location, given: &[Step], steps: &[Step]| {
        scenario(Format::Plain, name, location, given, steps)
    };
    let saved = SAVED;
    let left = [saved.as_slice(), &[Leftover("a"), Wait(100)]].concat();
    vec![
        Scenario {
            meanwhile: Some(Meanwhile {
                // The second: the first finds what is left over.
                before: (Operation::Link, "session.new", 1),
                act: |disk| {
                    let lock = format!("{NEAR}/a.session/session.next");
                    disk.put_link(lock, format!("{OUTSIDE}/file"));
                },
            }),
            ..scenario(
                "plainbox-is-faster",
                NEAR,
                &[saved.as_slice(), &[Hold("a"), Leftover("a"), Wait(100)]].concat(),
                &[Contend("a", 2), Release("a"), Unlock("a"), Contend("a", 7)],
            )
        },
        scenario("foreign", FAR, &[Foreign("a")], &[Save("a", 2), Save("a", 3), Remove("a")]),
        scenario("leftover", NEAR, &left, &[Save("a", 2), Save("a", 7)]),
        scenario(
            "leftover-held",
            NEAR,
            &[saved.as_slice(), &[Hold("a"), OldLeftover("a"), Wait(100)]].concat(),
            &[Follow("a", 2), Save("a", 7)],
        ),
        scenario(
            "unlock",
            NEAR,
            &[saved.as_slice(), &[OldLeftover("a"), Wait(100)]].concat(),
            &[Unlock("a"), Save("a", 2)],
        ),
        Scenario {
            traits: Traits { hard_links: false, ..Traits::ALL },
            ..scenario("no-hard-links", NEAR, &saved, &[Follow("a", 2), Save("a", 7)])
        },
        Scenario {
            traits: Traits { is_local: false, ..Traits::ALL },
            ..scenario("shared", NEAR, &left, &[Locked("a", 2), Unlock("a"), Save("a", 2)])
        },
        Scenario {
            traits: Traits { open_files_are_known: false, ..Traits::ALL },
            ..scenario("unknown", NEAR, &left, &[Locked("a", 2), Unlock("a"), Save("a", 2)])
        },
    ]
}

/// Moves what is no link aside, and puts one in its place.
fn make_last_by_others(disk: &SimulatedDisk) {
    let last = format!("{NEAR}/last-session");
    disk.rename(&last, ".last-session.aside-1");
    disk.sync_all();
    disk.put_link(&last, format!("{NEAR}/b.session"));
}

/// Where somebody else comes in between at the worst moment, and what is too large to be looked at in
/// every state: for what fails alone.
pub(crate) fn for_faults_alone() -> Vec<Scenario> {
    let scenario = |name, given: &[Step], steps: &[Step], before, act| Scenario {
        meanwhile: Some(Meanwhile { before, act }),
        ..scenario(Format::Plain, name, NEAR, given, steps)
    };
    vec![
        scenario(
            "last-is-made",
            &[SAVED.as_slice(), &[MakeLast("b"), LastIsFile]].concat(),
            &[MakeLast("a")],
            (Operation::Link, "last-session", 0),
            make_last_by_others,
        ),
        self::scenario(
            Format::Journal,
            "huge",
            NEAR,
            &[Create("a"), Save("a", 3), Hold("a")],
            &[Save("a", HUGE)],
        ),
    ]
}

fn of_journals() -> Vec<Scenario> {
    let scenario =
        |name, given: &[Step], steps: &[Step]| scenario(Format::Journal, name, NEAR, given, steps);
    let made = [Create("a"), Save("a", 3)];
    let held = [made.as_slice(), &[Hold("a")]].concat();
    let saves = |numbers: std::ops::Range<u32>| numbers.map(|number| Save("a", number));
    let all = |parts: [&[Step]; 2]| parts.concat();
    vec![
        scenario("rotation", &held, &saves(NOISE..NOISE + 45).collect::<Vec<_>>()),
        scenario(
            "new-segment",
            &all([&held, &saves(NOISE..NOISE + 3).collect::<Vec<_>>()]),
            &saves(NOISE + 3..NOISE + 6).collect::<Vec<_>>(),
        ),
        scenario(
            "used-segment",
            &all([&held, &saves(NOISE..NOISE + 20).collect::<Vec<_>>()]),
            &saves(NOISE + 20..NOISE + 28).collect::<Vec<_>>(),
        ),
        scenario("single-rotation", &made, &saves(NOISE..NOISE + 14).collect::<Vec<_>>()),
        scenario("deltas", &held, &saves(STATE..STATE + 25).collect::<Vec<_>>()),
        scenario(
            "single-deltas",
            &all([&made, &saves(STATE..STATE + 7).collect::<Vec<_>>()]),
            &saves(STATE + 7..STATE + 13).collect::<Vec<_>>(),
        ),
        scenario("restore", &all([&made, &[Save("a", 2), Save("a", 6)]]), &[Restore("a", 2)]),
        scenario(
            "give-up",
            &all([&made, &saves(STATE..STATE + 12).collect::<Vec<_>>()]),
            &[GiveUp("a", STATE + 10), Save("a", 2), GiveUp("a", 2), Save("a", 6)],
        ),
        scenario(
            "convert-again",
            &all([&made, &[HalfConverted("a")]]),
            &[Convert("a", Format::Plain), Save("a", 2)],
        ),
        scenario("first-cut-short", &[Create("a"), CutShort("a", 7)], &[Save("a", 7)]),
        scenario(
            "cut-short",
            &all([&made, &[CutShort("a", 7)]]),
            &[Save("a", 7), CutShort("a", 3), GiveUp("a", 7), Save("a", 3)],
        ),
        scenario(
            "damaged-segment",
            &all([&made, &[Save("a", 2), Damage("a", Harm::Header)]]),
            &[Save("a", 7), Save("a", 6)],
        ),
        scenario(
            "lost-first-block",
            &all([&made, &[Save("a", 2), Save("a", 3), Damage("a", Harm::FirstBlock)]]),
            &[Look("a"), Save("a", 7), Verify("a"), Save("a", 6)],
        ),
        scenario(
            "cut-segment",
            &all([&made, &[Save("a", 3), Save("a", 2), Damage("a", Harm::End)]]),
            &[Save("a", 7), Save("a", 6)],
        ),
        scenario(
            "lost-mark",
            &all([&made, &[Save("a", 2), Damage("a", Harm::Mark)]]),
            &[Repair("a"), Save("a", 6)],
        ),
        scenario("large", &made, &saves(LARGE..LARGE + 2).collect::<Vec<_>>()),
        scenario(
            "outgrown",
            &all([&held, &saves(NOISE..NOISE + 8).collect::<Vec<_>>()]),
            &saves(LARGE..LARGE + 2).collect::<Vec<_>>(),
        ),
        scenario(
            "large-streams",
            &held,
            &[
                [Stream("a", LARGE), Save("a", STATE), Kill, Stream("a", LARGE + 1)],
                [Save("a", STATE + 1), Hold("a"), Stream("a", NOISE), Stream("a", NOISE + 1)],
            ]
            .concat(),
        ),
        scenario(
            "takeovers",
            &held,
            &[
                [Save("a", STATE), Save("a", STATE + 1), Kill, Hold("a"), Save("a", STATE + 2)],
                [Kill, Save("a", STATE + 3), Hold("a"), Kill, Save("a", NOISE)],
                [Hold("a"), Save("a", NOISE + 1), Save("a", 2), Kill, Save("a", NOISE + 2)],
                [Hold("a"), Save("a", NOISE + 3), Kill, Hold("a"), Save("a", NOISE + 4)],
            ]
            .concat(),
        ),
        scenario(
            "in-order",
            &held,
            &[
                [Save("a", 2), Release("a"), Hold("a"), Save("a", STATE), Save("a", STATE + 1)],
                [Release("a"), Hold("a"), Release("a"), Hold("a"), Save("a", NOISE)],
                [Release("a"), Save("a", NOISE + 1), Save("a", 1), Hold("a"), Save("a", 7)],
            ]
            .concat(),
        ),
    ]
}
