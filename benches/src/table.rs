//! Markdown.

use std::fmt;
use std::time::Duration;

/// Peers as rows, works as columns.
pub struct Table {
    pub title: &'static str,
    pub about: String,
    pub columns: Vec<Column>,
}

/// What each peer took. The first one is what the others are compared with.
pub struct Column {
    pub head: String,
    pub unit: Unit,
    pub cells: Vec<(&'static str, Vec<Duration>)>,
}

#[derive(Clone, Copy)]
pub enum Unit {
    /// p10 and median, and both as multiples of the first row's.
    Time,
    /// What was counted, as it is: kept in the nanoseconds of a duration, in thousandths.
    Count,
}

impl Column {
    pub fn empty(head: String) -> Self {
        Self { head, unit: Unit::Time, cells: Vec::new() }
    }

    /// More of the same.
    pub fn add(&mut self, other: Self) {
        for ((_, times), (_, more)) in self.cells.iter_mut().zip(other.cells) {
            times.extend(more);
        }
    }

    fn cell(&self, name: &str) -> String {
        let of = |name: &str| self.cells.iter().find(|(it, _)| *it == name);
        let (Some((_, cell)), Some((_, first))) = (of(name), self.cells.first()) else {
            return String::new();
        };
        match self.unit {
            Unit::Count => format!("{:.1}", percentile(cell, 50).as_nanos() as f64 / 1e3),
            Unit::Time => {
                let times = |percent| (percentile(cell, percent), percentile(first, percent));
                let ((p10, first_p10), (median, first_median)) = (times(10), times(50));
                let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
                format!(
                    "{} / {} (× {:.2} / {:.2})",
                    show(p10),
                    show(median),
                    ratio(p10, first_p10),
                    ratio(median, first_median)
                )
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n\n{}\n", self.title, self.about)?;
        let heads: Vec<&str> = self.columns.iter().map(|column| column.head.as_str()).collect();
        writeln!(f, "| | {} |\n| --- |{}", heads.join(" | "), " --- |".repeat(heads.len()))?;
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.columns.iter().flat_map(|column| &column.cells) {
            if !names.contains(name) {
                names.push(name);
            }
        }
        for name in names {
            let cells: Vec<String> = self.columns.iter().map(|column| column.cell(name)).collect();
            writeln!(f, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

/// Three digits and a unit.
fn show(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        ..1e4 => (micros, "µs"),
        ..1e7 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}
