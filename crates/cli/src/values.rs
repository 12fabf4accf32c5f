//! What the values of options look like.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use pitstop::{Format, Labels, Retention, Revision};

/// How a session that is made keeps its checkpoints.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum NewFormat {
    /// A history with labels, and damage that is seen
    Journal,
    /// One checkpoint, which PlainBox and Checkbox can read
    Plain,
}

impl From<NewFormat> for Format {
    fn from(format: NewFormat) -> Self {
        match format {
            NewFormat::Journal => Self::Journal,
            NewFormat::Plain => Self::Plain,
        }
    }
}

pub(crate) fn revision(text: &str) -> Result<Revision, &'static str> {
    text.parse()
        .map_err(|_| "a revision is what `pitstop show` prints: a number, or ~ and 16 digits")
}

/// A label to attach.
pub(crate) fn label(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some(("", _)) => Err("a label has a name before the '='"),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a label is NAME=VALUE"),
    }
}

/// A label to look for: of this name, and of this value if one is given.
#[derive(Clone)]
pub(crate) struct LabelFilter {
    name: String,
    value: Option<String>,
}

impl LabelFilter {
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.name);
        found.is_some_and(|found| self.value.as_ref().is_none_or(|value| found == value))
    }
}

impl FromStr for LabelFilter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some(("", _)) => Err("a label has a name before the '='"),
            Some((name, value)) => Ok(Self { name: name.into(), value: Some(value.into()) }),
            None if text.is_empty() => Err("a label has a name"),
            None => Ok(Self { name: text.into(), value: None }),
        }
    }
}

impl fmt::Display for LabelFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Which older revisions to keep: `50`, `all`, `100MiB` or `30d`.
pub(crate) fn retention(text: &str) -> Result<Retention, &'static str> {
    const RULE: &str = "a rule is a number of revisions, `all`, a size (64KiB, 100MiB, 1GiB) or an \
                        age (12h, 30d, 4w)";
    if text == "all" {
        return Ok(Retention::All);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| RULE)?;
    let times = |factor: u64| number.checked_mul(factor).ok_or("that is too much");
    let bytes = |power: u32| times(1 << (10 * power)).map(Retention::Bytes);
    let age = |seconds: u64| times(seconds).map(Duration::from_secs).map(Retention::Age);
    match unit {
        "" => usize::try_from(number).map(Retention::Revisions).map_err(|_| "that is too much"),
        "KiB" => bytes(1),
        "MiB" => bytes(2),
        "GiB" => bytes(3),
        "TiB" => bytes(4),
        "min" => age(60),
        "h" => age(3600),
        "d" => age(24 * 3600),
        "w" => age(7 * 24 * 3600),
        _ => Err(RULE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_what_to_keep() {
        for (text, rule) in [
            ("50", Retention::Revisions(50)),
            ("all", Retention::All),
            ("64KiB", Retention::Bytes(64 << 10)),
            ("100MiB", Retention::Bytes(100 << 20)),
            ("90min", Retention::Age(Duration::from_secs(90 * 60))),
            ("30d", Retention::Age(Duration::from_secs(30 * 24 * 3600))),
        ] {
            assert_eq!(retention(text), Ok(rule), "{text}");
        }
        for text in ["", "-1", "many", "5 d", "3m", "d", "1.5GiB", "99999999TiB"] {
            assert!(retention(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_and_what_looks_for_them() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(label("a="), Ok(("a".to_owned(), String::new())));
        assert!(label("a").is_err() && label("=b").is_err());
        let labels = Labels::from([label("step=7").unwrap()]);
        for (text, matches) in [("step", true), ("step=7", true), ("step=", false), ("x", false)] {
            assert_eq!(text.parse::<LabelFilter>().unwrap().matches(&labels), matches, "{text}");
        }
    }
}
