//! What a program does with a repository, step by step, and what was promised to it at each.

pub(crate) type Id = &'static str;

/// One call of the library, or something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(Id),
    /// Creates a session that replaces the last one.
    Replace(Id),
    /// Saves the payload of this number: by the writer that is held, if there is one.
    Save(Id, u32),
    /// Saves, on condition that nobody saved in between.
    Follow(Id, u32),
    /// Becomes the writer, and stays it.
    Hold(Id),
    Release(Id),
    MakeLast(Id),
    Remove(Id),
    Unlock(Id),
    /// Lists, loads, and asks for the last session.
    Look(Id),
    /// The program puts files of its own into the session's directory.
    OwnFiles(Id),
    /// PlainBox makes a session.
    Foreign(Id),
    /// A save is killed.
    Unfinished(Id),
    /// PlainBox is killed while it saves.
    Leftover(Id),
    Wait(u64),
    /// Every process is killed, and a new one starts.
    Kill,
}

impl Step {
    /// Whether it is not Pitstop that does it.
    pub(crate) fn is_by_others(self) -> bool {
        matches!(
            self,
            Self::OwnFiles(_) | Self::Foreign(_) | Self::Unfinished(_) | Self::Leftover(_)
        )
    }
}

/// A run of steps, of which each moment is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub name: &'static str,
    /// Where the repository is.
    pub location: &'static str,
    /// What was done before.
    pub given: Vec<Step>,
    pub steps: Vec<Step>,
    pub has_hard_links: bool,
}

/// What lies beside the repository, and must stay as it is.
pub(crate) const OUTSIDE: &str = "/home/outside";
pub(crate) const NEAR: &str = "/home/user/sessions";
const FAR: &str = "/home/user/.local/state/pitstop/sessions";

/// The payload of this number. Each sector of each is unlike any other.
pub(crate) fn payload(number: u32) -> Vec<u8> {
    const SIZES: [u32; 4] = [0, 1, 600, 5000];
    let size = SIZES[number as usize % SIZES.len()];
    (0..size).map(|at| (number.wrapping_mul(31) + at / 512 * 7 + at) as u8 | 1).collect()
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    use Step::*;
    let scenario = |name, location, given: &[Step], steps: &[Step]| Scenario {
        name,
        location,
        given: given.to_vec(),
        steps: steps.to_vec(),
        has_hard_links: true,
    };
    let saved = [Create("a"), Save("a", 3), Create("b"), Save("b", 6)];
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
        scenario(
            "unfinished",
            NEAR,
            &[saved.as_slice(), &[Unfinished("a")]].concat(),
            &[Save("a", 2), Unfinished("a"), Save("a", 7)],
        ),
        scenario("conditional", NEAR, &saved, &[Follow("a", 2), Follow("a", 7)]),
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
            "remove",
            NEAR,
            &[last.as_slice(), &[OwnFiles("a")]].concat(),
            &[Remove("a"), Create("a"), Save("a", 1), Remove("b"), Remove("a")],
        ),
        scenario(
            "takeover",
            FAR,
            &[Create("a"), Save("a", 1), Hold("a")],
            &[Save("a", 2), Kill, Save("a", 3), Hold("a"), Kill, Remove("a"), Kill, Create("a")],
        ),
        scenario("foreign", FAR, &[Foreign("a")], &[Save("a", 2), Save("a", 3), Remove("a")]),
        scenario(
            "leftover",
            NEAR,
            &[saved.as_slice(), &[Leftover("a"), Wait(100)]].concat(),
            &[Save("a", 2), Save("a", 7)],
        ),
        scenario(
            "leftover-held",
            NEAR,
            &[saved.as_slice(), &[Hold("a"), Leftover("a"), Wait(100)]].concat(),
            &[Save("a", 2), Save("a", 7)],
        ),
        scenario(
            "unlock",
            NEAR,
            &[saved.as_slice(), &[Leftover("a"), Wait(100)]].concat(),
            &[Unlock("a"), Save("a", 2)],
        ),
        Scenario {
            has_hard_links: false,
            ..scenario("no-hard-links", NEAR, &saved, &[Save("a", 2), Save("a", 7)])
        },
    ]
}
