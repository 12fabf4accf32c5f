//! The table of a listing.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use pitstop::{Labels, Summary, printable};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::history::labels;
use super::{coloured, relative, size, width};

pub(super) const HEADER: Style = Style::new().bold();
const LIVE: Style = AnsiColor::Green.on_default();

/// What stands to the right of the name: two spaces and each column; and what of it in a narrow terminal.
const RIGHT: usize = SHORT + 2 + FORMAT;
const SHORT: usize = 2 + SAVED + 2 + SIZE;
const SAVED: usize = 13;
const SIZE: usize = 8;
const FORMAT: usize = 7;
const STATE: usize = 2 + 4;
/// Below this a name, or what a session is about, is of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;
/// On a terminal no name is wider where something stands to the right of it.
const NAME_BESIDE_ABOUT: usize = 32;

/// All sessions, one a line, with what is known of what each is about. There may be very many, so that it
/// is one text and nothing in between.
pub(crate) fn table(sessions: &[Summary], summaries: &[Option<String>]) -> String {
    let state = if sessions.iter().any(|it| it.live) { STATE } else { 0 };
    let is_about = sessions.iter().any(|it| known_labels(it).is_some())
        || summaries.iter().any(Option::is_some);
    let beside = |is_about| if is_about { 2 + NARROWEST } else { 0 };
    let has_room = |(right, is_about): &(usize, bool)| {
        width().is_none_or(|it| it >= NARROWEST + right + state + beside(*is_about))
    };
    let layouts = [(RIGHT, is_about), (SHORT, is_about), (RIGHT, false)];
    let (right, is_about) = layouts.into_iter().find(has_room).unwrap_or((SHORT, false));
    let widest = sessions.iter().map(|it| columns(&printable(it.id.as_str()))).max().unwrap_or(0);
    let most = if is_about { NAME_BESIDE_ABOUT } else { usize::MAX };
    let fits = |width: usize| {
        width.saturating_sub(right + state + beside(is_about)).clamp(NARROWEST, most)
    };
    let name = widest.max("SESSION".len()).min(width().map_or(usize::MAX, fits));
    let left = width().map(|it| it.saturating_sub(name + right + state + 2).max(NARROWEST));
    let (header, live) = match coloured() {
        true => (HEADER, LIVE),
        false => (Style::new(), Style::new()),
    };

    let now = SystemTime::now();
    let mut text = String::with_capacity((sessions.len() + 1) * (name + RIGHT + 1));
    let mut cell = String::new();
    text.push_str(&header.render().to_string());
    pad(&mut text, "SESSION", name);
    let _ = write!(text, "  {:<SAVED$}  {:>SIZE$}", "SAVED", "SIZE");
    let format = if right == RIGHT { "  FORMAT" } else { "" };
    let _ = match is_about {
        true => writeln!(text, "{format:<0$}  ABOUT{header:#}", right - SHORT + state),
        false => writeln!(text, "{format}{header:#}"),
    };
    for (n, session) in sessions.iter().enumerate() {
        pad(&mut text, &printable(session.id.as_str()), name);
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
            None if session.is_in_full() => write!(cell, "-"),
            None => write!(cell, "?"),
        };
        text.extend(std::iter::repeat_n(' ', 2 + SIZE.saturating_sub(cell.len())));
        text.push_str(&cell);
        if right == RIGHT {
            let _ = write!(text, "  {:<FORMAT$}", session.format);
        }
        let _ = match session.live {
            true => write!(text, "  {live}live{live:#}"),
            false => write!(text, "{:state$}", ""),
        };
        if is_about {
            let about = about(session, summaries.get(n).and_then(Option::as_deref));
            text.push_str("  ");
            pad(&mut text, &about, left.unwrap_or_else(|| columns(&about)));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// `Nightly run: 3 of 5 jobs  step=7`.
fn about(session: &Summary, summary: Option<&str>) -> String {
    let labels = known_labels(session).map(labels);
    let parts: Vec<_> =
        summary.map(|it| printable(it).into_owned()).into_iter().chain(labels).collect();
    parts.join("  ")
}

fn known_labels(session: &Summary) -> Option<&Labels> {
    session.labels.as_ref().filter(|labels| !labels.is_empty())
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
