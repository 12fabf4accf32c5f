//! What the values of options look like.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use pitstop::{Format, Labels, ProgramState, Retention, Revision};

/// How a session that is made keeps its checkpoints.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum NewFormat {
    /// Keeps a history with labels, and detects damage
    Journal,
    /// Keeps one checkpoint, which PlainBox and Checkbox can read
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

/// The state of a session's program, as an option names it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateName {
    Running,
    Stopped,
    Interrupted,
    Failed,
    Done,
    Idle,
}

impl StateName {
    pub(crate) fn is(self, state: ProgramState) -> bool {
        self.to_possible_value().is_some_and(|it| it.get_name() == state.name())
    }
}

/// A pattern for names: `*` stands for any text, `?` for one character.
#[derive(Clone)]
pub(crate) struct Pattern(Vec<char>);

impl FromStr for Pattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.chars().collect()))
    }
}

impl Pattern {
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        // For each length of the name: whether the pattern so far matches that beginning.
        let mut ends = vec![false; name.len() + 1];
        ends[0] = true;
        for letter in &self.0 {
            match letter {
                '*' => (1..ends.len()).for_each(|at| ends[at] |= ends[at - 1]),
                letter => {
                    for at in (1..ends.len()).rev() {
                        ends[at] = ends[at - 1] && (*letter == '?' || *letter == name[at - 1]);
                    }
                    ends[0] = false;
                }
            }
        }
        ends[name.len()]
    }
}

pub(crate) fn revision(text: &str) -> Result<Revision, &'static str> {
    text.parse()
        .map_err(|_| "a revision is a number, or ~ and 16 digits, as `pitstop show` prints it")
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
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

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
    const RULE: &str = "a rule is a number of revisions, `all`, a size (64KiB, 100MB, 1GiB) or an \
                        age (12h, 30d, 4w)";
    if text == "all" {
        return Ok(Retention::All);
    }
    if let Ok(count) = text.parse() {
        return Ok(Retention::Revisions(count));
    }
    if text.ends_with('m') {
        return Err("is that a size or an age? Write 3MiB, 30min or 90d");
    }
    let bytes = size(text).map(Retention::Bytes);
    bytes.or_else(|_| age(text).map(Retention::Age)).map_err(|_| RULE)
}

/// How many.
pub(crate) fn number(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "a number is written in digits: 0, 1, 20")
}

/// A size: `500`, `64KiB`, `10MB`, `1.5G`.
pub(crate) fn size(text: &str) -> Result<u64, &'static str> {
    const RULE: &str =
        "a size is a number of bytes, or a number and a unit: 500, 64KiB, 10MB, 1.5G";
    let (number, unit) = number_and_unit(text).ok_or(RULE)?;
    if unit.is_empty() && number.fract() > 0.0 {
        return Err(RULE);
    }
    times(number, size_unit(&unit).ok_or(RULE)?)
}

/// An age: `90s`, `30min`, `4h`, `30d`, `2w`, `1y`.
pub(crate) fn age(text: &str) -> Result<Duration, &'static str> {
    const RULE: &str = "an age is a number and a unit: 90s, 30min, 4h, 30d, 2w, 1y";
    let (number, unit) = number_and_unit(text).ok_or(RULE)?;
    if unit == "m" {
        return Err("is that minutes or months? Write 30min, or 90d for three months");
    }
    times(number, age_unit(&unit).ok_or(RULE)?).map(Duration::from_secs)
}

/// `1.5 GiB` as 1.5 and `gib`.
fn number_and_unit(text: &str) -> Option<(f64, String)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start().to_lowercase()))
}

fn size_unit(unit: &str) -> Option<u64> {
    let powers = |base: u64, unit: char| {
        let power = "kmgtp".find(unit).map(|it| it as u32 + 1)?;
        Some(base.pow(power))
    };
    let mut letters = unit.chars();
    match (letters.next(), letters.as_str()) {
        (None | Some('b'), "") => Some(1),
        (Some(unit), "b") => powers(1000, unit),
        // As `ls` and `du` have it.
        (Some(unit), "" | "ib") => powers(1024, unit),
        _ => None,
    }
}

fn age_unit(unit: &str) -> Option<u64> {
    const DAY: u64 = 24 * 60 * 60;
    Some(match unit {
        "s" | "sec" => 1,
        "min" => 60,
        "h" | "hour" | "hours" => 60 * 60,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        "y" | "year" | "years" => 365 * DAY,
        _ => return None,
    })
}

fn times(number: f64, factor: u64) -> Result<u64, &'static str> {
    let product = number * factor as f64;
    if product < u64::MAX as f64 { Ok(product as u64) } else { Err("that is too much") }
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
        for text in ["", "-1", "many", "3m", "d", "1.5", "1..5GiB", "99999999TiB"] {
            assert!(retention(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_ages_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("500", 500),
            ("500b", 500),
            ("64KiB", 64 << 10),
            ("64k", 64 << 10),
            ("10MB", 10_000_000),
            ("10 mb", 10_000_000),
            ("1.5G", 3 << 29),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-5", "5x", "5bb", "1e3", "5 M B", "9999999P", "."] {
            assert!(size(text).is_err(), "{text}");
        }
        for (text, seconds) in [
            ("90s", 90),
            ("30min", 1800),
            ("4h", 14_400),
            ("1.5d", 129_600),
            ("2 weeks", 1_209_600),
        ] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "d", "-1d", "4hd", "1e9y", "1mo"] {
            assert!(age(text).is_err(), "{text}");
        }
        assert!(age("3m").is_err_and(|it| it.contains("minutes or months")));
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, matches) in [
            ("*", "", true),
            ("job", "job", true),
            ("job", "job2", false),
            ("job*", "job", true),
            ("*-2026*", "nightly-2026-11", true),
            ("n?ght*", "nightly", true),
            ("?", "ö", true),
            ("a*b*c", "a-c-b-c", true),
            ("a*b", "a-b-", false),
        ] {
            let found = pattern.parse::<Pattern>().unwrap().matches(name);
            assert_eq!(found, matches, "{pattern} {name}");
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
