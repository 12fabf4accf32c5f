use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// No number is higher: far beyond what anybody saves, and far enough from the end to count on from it.
pub(crate) const HIGHEST: u64 = u64::MAX >> 1;

/// Which checkpoint of its session one is. Two are equal if nobody saved between them.
///
/// Sessions that keep numbers count 1, 2, 3 ...; a plain session keeps none, so its revision is
/// made of the file's identity and content, and is written `~` and 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Number(u64),
    Identity(u64),
}

impl Revision {
    /// The state before the first checkpoint: what a save that must be the first one follows.
    pub const NONE: Self = Self(Kind::Number(0));

    /// The checkpoint of this number.
    pub const fn from_number(number: u64) -> Self {
        Self(Kind::Number(number))
    }

    /// Its number, where its session keeps numbers.
    pub const fn number(self) -> Option<u64> {
        match self.0 {
            Kind::Number(number) => Some(number),
            Kind::Identity(_) => None,
        }
    }

    pub(crate) const fn from_identity(identity: u64) -> Self {
        Self(Kind::Identity(identity))
    }
}

/// Which checkpoint of a session is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// The newest one.
    #[default]
    Newest,
    /// The one of this revision.
    Revision(Revision),
}

impl At {
    /// The revision; `None` for the newest one.
    pub fn revision(self) -> Option<Revision> {
        match self {
            Self::Newest => None,
            Self::Revision(revision) => Some(revision),
        }
    }
}

impl From<Revision> for At {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<Option<Revision>> for At {
    fn from(revision: Option<Revision>) -> Self {
        revision.map_or(Self::Newest, Self::Revision)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Number(number) => write!(f, "{number}"),
            Kind::Identity(identity) => write!(f, "~{identity:016x}"),
        }
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Revision {
    type Err = std::num::ParseIntError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A number may have a sign for the standard library. Alone it is none.
        let unsigned = |digits| if str::starts_with(digits, '+') { "+" } else { digits };
        match text.strip_prefix('~') {
            Some(hex) => u64::from_str_radix(unsigned(hex), 16).map(Self::from_identity),
            None => unsigned(text).parse().map(Self::from_number),
        }
    }
}

impl Serialize for Revision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Kind::Number(number) => serializer.serialize_u64(number),
            Kind::Identity(_) => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_reads_back_as_it_is_written() {
        for revision in [Revision::NONE, Revision::from_number(7), Revision::from_identity(0xab)] {
            assert_eq!(revision.to_string().parse::<Revision>().unwrap(), revision);
        }
        assert_eq!(Revision::from_identity(0xab).to_string(), "~00000000000000ab");
        for text in ["seven", "+5", "~+5", "-1", "", "~", "+"] {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
    }
}
