//! What a program does with a repository, step by step, and what was promised to it at each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{SimulatedDisk, Traits};
use super::hook::Operation;
use crate::backend::Format;

pub(crate) type Id = &'static str;

/// One call of the library, or something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Create(Id),
    /// Creates a session that replaces the last one.
    Replace(Id),
    /// Saves the payload of this number: by the writer that is held, if there is one.
    Save(Id, u32),
    /// Saves what comes in pieces.
    Stream(Id, u32),
    /// Saves, on condition that nobody saved in between.
    Follow(Id, u32),
    /// Makes the revision of this payload the newest.
    Restore(Id, u32),
    /// Makes the second session of the newest checkpoint of the first.
    Fork(Id, Id),
    /// Copies the session of this name from [`SOURCE`].
    Copy(Id),
    /// Makes it keep its checkpoints in the other format.
    Convert(Id, Format),
    /// Gives up the revisions before that of this payload.
    GiveUp(Id, u32),
    /// Writes it into an archive.
    Export(Id),
    /// Makes the session of an archive of what is in [`SOURCE`].
    Import(Id),
    /// Becomes the writer, and stays it.
    Hold(Id),
    Release(Id),
    MakeLast(Id),
    Remove(Id),
    Trash(Id),
    /// Takes the session out of the trash, under its name.
    PutBack(Id),
    /// Deletes it from the trash.
    EmptyTrash(Id),
    /// Deletes what killed processes left.
    Sweep,
    /// Loads all that the session keeps, and sees that nothing is damaged.
    Verify(Id),
    /// Looks at what lies beside the sessions.
    VerifyAll,
    /// Makes it one that can be used again.
    Repair(Id),
    /// The same, of the link to the last session.
    RepairLast,
    Unlock(Id),
    /// Lists, loads, and asks for the last session.
    Look(Id),
    /// The program puts files of its own into the session's directory.
    OwnFiles(Id),
    /// The same file, which nobody flushed.
    UnflushedFile(Id),
    /// A program keeps a session in [`SOURCE`], with files of its own.
    Source(Id),
    /// Somebody puts a file where a link of the session belongs.
    Misplace(Id),
    /// The header of the journal's first segment is lost, and all in it.
    Damage(Id),
    /// PlainBox makes a session.
    Foreign(Id),
    /// A save is killed.
    Unfinished(Id),
    /// A conversion is killed just before it counts.
    HalfConverted(Id),
    /// A removal, a creation and a change of the last session are killed.
    Debris(Id),
    /// PlainBox is killed while it saves.
    Leftover(Id),
    /// The same, so long ago that it lasts.
    OldLeftover(Id),
    /// Saves, and is told that PlainBox may be saving.
    Locked(Id, u32),
    /// Saves what follows what is there, unless PlainBox is faster.
    Contend(Id, u32),
    /// One that made this the last session was killed, and the repository was moved since.
    LeftLink(Id),
    /// Somebody puts a file where the link to the last session belongs.
    LastIsFile,
    /// Or a directory.
    LastIsDirectory,
    /// Somebody made this one the last session, in the middle of the step before.
    LastIs(Id),
    Wait(u64),
    /// Every process is killed, and a new one starts.
    Kill,
}

impl Step {
    /// Whether it is not Pitstop that does it.
    pub(crate) fn is_by_others(self) -> bool {
        matches!(
            self,
            Self::OwnFiles(_)
                | Self::UnflushedFile(_)
                | Self::Source(_)
                | Self::Misplace(_)
                | Self::Damage(_)
                | Self::Foreign(_)
                | Self::Unfinished(_)
                | Self::HalfConverted(_)
                | Self::Debris(_)
                | Self::Leftover(_)
                | Self::OldLeftover(_)
                | Self::LeftLink(_)
                | Self::LastIsFile
                | Self::LastIsDirectory
                | Self::LastIs(_)
        )
    }
}

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

/// The payload of this number. Each sector of each is unlike any other.
pub(crate) fn payload(number: u32) -> Arc<[u8]> {
    static MADE: Mutex<BTreeMap<u32, Arc<[u8]>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(number).or_insert_with(|| make_payload(number).into()).clone()
}

fn make_payload(number: u32) -> Vec<u8> {
    const SIZES: [u32; 4] = [0, 1, 600, 5000];
    let noise = |seed: u32, size: u32| {
        let mut x = seed;
        (0..size).map(move |_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8 | 1
        })
    };
    match number {
        NOISE..STATE => noise(number, 4000 + number * 1237 % 5000).collect(),
        STATE..LARGE => {
            let nth = number - STATE;
            let mut state: Vec<u8> = noise(0, 6000 + 300 * nth).collect();
            state[nth as usize * 97..][..30].copy_from_slice(&[nth as u8; 30]);
            state
        }
        LARGE..HUGE => noise(number, 150_000).collect(),
        HUGE.. => noise(number, 4_300_000).collect(),
        _ => {
            let size = SIZES[number as usize % SIZES.len()];
            (0..size).map(|at| (number.wrapping_mul(31) + at / 512 * 7 + at) as u8 | 1).collect()
        }
    }
}

/// From here on, payloads that have nothing in common, of which few are kept.
pub(crate) const NOISE: u32 = 100;
/// From here on, one that grows and changes a little.
pub(crate) const STATE: u32 = 200;
/// From here on, so large that a segment holds two of them.
pub(crate) const LARGE: u32 = 300;
/// From here on, so large that a segment for them is not filled with zeros.
pub(crate) const HUGE: u32 = 400;

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
        scenario(
            "damaged-segment",
            &all([&made, &[Save("a", 2), Damage("a")]]),
            &[Save("a", 7), Save("a", 6)],
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
