//! What may become of a request.

use crate::random::Random;

/// How much goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// Of so many requests one goes wrong; 0 for none.
    pub faults: usize,
    /// Of so many steps, one makes a host stand still; 0 for none.
    pub stops: usize,
    /// Of so many steps, one kills a host; 0 for none.
    pub kills: usize,
}

impl Trouble {
    /// Nothing goes wrong.
    pub const NONE: Self = Self { faults: 0, stops: 0, kills: 0 };
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Get,
    List,
    Delete,
    /// Whether it has a condition.
    Put(bool),
}

/// What becomes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Done,
    /// The store is overloaded, and does nothing.
    Refused,
    /// The connection breaks, and nothing was done.
    Reset,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// The connection breaks, and it is done later.
    Late,
    /// It is done, and once more later.
    Again,
    /// It is done twice, and the second answer comes.
    Twice,
    /// The store says that somebody else is changing it, and does nothing.
    Contended,
    /// The host is dead: it is told what makes it end soon.
    Void,
}

impl Fate {
    pub(super) fn choose(kind: Kind, random: &mut Random, faults: usize) -> Self {
        if faults == 0 || random.below(faults) > 0 {
            return Self::Done;
        }
        let all: &[Self] = match kind {
            Kind::Get | Kind::List => &[Self::Refused, Self::Reset],
            Kind::Delete | Kind::Put(false) => &[
                Self::Refused,
                Self::Reset,
                Self::LostAnswer,
                Self::Late,
                Self::Late,
                Self::Again,
                Self::Again,
                Self::Twice,
            ],
            Kind::Put(true) => &[
                Self::Refused,
                Self::Reset,
                Self::LostAnswer,
                Self::LostAnswer,
                Self::Late,
                Self::Again,
                Self::Twice,
                Self::Contended,
            ],
        };
        all[random.below(all.len())]
    }
}
