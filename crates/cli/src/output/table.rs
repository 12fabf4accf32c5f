//! The table of a listing.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use pitstop::Summary;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::history::labels;
use super::{coloured, relative, size, width};

pub(super) const HEADER: Style = Style::new().bold();
const LIVE: Style = AnsiColor::Green.on_default();

/// What stands to the right of the name: two spaces and each column.
const RIGHT: usize = 2 + SAVED + 2 + SIZE + 2 + FORMAT + 2 + STATE;
const SAVED: usize = 13;
const SIZE: usize = 8;
const FORMAT: usize = 7;
const STATE: usize = 5;
/// Below this a name is of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;

/// All sessions, one a line. There may be very many, so that it is one text and nothing in between.
pub(crate) fn table(sessions: &[Summary]) -> String {
    let widest = sessions.iter().map(|it| columns(it.id.as_str())).max().unwrap_or(0);
    let fits = width().map_or(usize::MAX, |width| width.saturating_sub(RIGHT).max(NARROWEST));
    let name = widest.max("SESSION".len()).min(fits);
    let (header, live) = match coloured() {
        true => (HEADER, LIVE),
        false => (Style::new(), Style::new()),
    };

    let rest = width().map(|it| it.saturating_sub(name + RIGHT + 2).max(NARROWEST));
    let now = SystemTime::now();
    let mut text = String::with_capacity((sessions.len() + 1) * (name + RIGHT + 1));
    let mut cell = String::new();
    pad(&mut text, "SESSION", name);
    let _ = write!(text, "  {:<SAVED$}  {:>SIZE$}  FORMAT", "SAVED", "SIZE");
    if sessions.iter().any(|it| !it.labels.is_empty()) {
        let _ = write!(text, "{:1$}LABELS", "", FORMAT - "FORMAT".len() + 2 + STATE + 2);
    }
    text.insert_str(0, &header.render().to_string());
    let _ = writeln!(text, "{header:#}");
    for session in sessions {
        pad(&mut text, session.id.as_str(), name);
        cell.clear();
        let _ = match session.saved {
            Some(saved) => write!(cell, "{}", relative(saved, now)),
            None => write!(cell, "never"),
        };
        text.push_str("  ");
        pad(&mut text, &cell, SAVED);
        cell.clear();
        let _ = match session.size {
            Some(bytes) => write!(cell, "{}", size(bytes)),
            None => write!(cell, "-"),
        };
        text.extend(std::iter::repeat_n(' ', 2 + SIZE.saturating_sub(cell.len())));
        text.push_str(&cell);
        let _ = match session.live {
            true => write!(text, "  {:<FORMAT$}  {live}live{live:#} ", session.format),
            false => write!(text, "  {:<FORMAT$}  {:STATE$}", session.format, ""),
        };
        if !session.labels.is_empty() {
            let labels = labels(&session.labels);
            text.push_str("  ");
            pad(&mut text, &labels, rest.unwrap_or_else(|| columns(&labels)));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn columns(name: &str) -> usize {
    if name.is_ascii() { name.len() } else { name.width() }
}

/// A cell of this width. What is too long ends in an ellipsis.
pub(super) fn pad(text: &mut String, cell: &str, width: usize) {
    let mut used = columns(cell);
    if used <= width {
        text.push_str(cell);
    } else {
        used = 1;
        for letter in cell.chars() {
            let more = letter.width().unwrap_or(0);
            if used + more > width {
                break;
            }
            text.push(letter);
            used += more;
        }
        text.push('…');
    }
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_its_width_whatever_the_letters() {
        for (cell, padded) in
            [("job", "job   "), ("nightly", "night…"), ("größer", "größer"), ("日本語語", "日本… ")]
        {
            let mut text = String::new();
            pad(&mut text, cell, 6);
            assert_eq!(text, padded);
        }
    }
}
