//! The table of a listing.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use pitstop::{Labels, Problem, ProgramState, Summary};

use super::cells::{HEADER, columns, labels, pad};
use super::{coloured, relative, style_of, width};
use crate::context::printable;

const SAVED: usize = 13;
const SIZE: usize = 8;
const FORMAT: usize = 7;
/// Below this a name, or what a session is about, is of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;
/// In a narrower terminal a state is its name alone.
const NARROW: usize = 60;
/// On a terminal no name is wider where something stands to the right of it.
const NAME_BESIDE_ABOUT: usize = 32;

/// A session in a listing.
pub(crate) struct Row<'a> {
    pub(crate) session: &'a Summary,
    /// What it takes on the disk, if that was looked at.
    pub(crate) stored: Option<u64>,
    /// What its checkpoint is about, if that was looked into.
    pub(crate) about: Option<&'a str>,
}

impl Row<'_> {
    /// The state of its program, where there is something to say.
    fn state(&self) -> Option<String> {
        match self.session.state {
            Some(ProgramState::Idle) => None,
            Some(state) if width().is_some_and(|it| it < NARROW) => Some(state.name().to_owned()),
            Some(state) => Some(state.to_string()),
            None => self.session.live.then(|| "running".to_owned()),
        }
    }

    /// `Nightly run: 3 of 5 jobs  step=7`.
    fn about(&self) -> String {
        let about = self.about.map(|it| printable(it).into_owned());
        let parts: Vec<_> = about.into_iter().chain(self.labels().map(labels)).collect();
        parts.join("  ")
    }

    fn labels(&self) -> Option<&Labels> {
        self.session.labels.as_ref().filter(|labels| !labels.is_empty())
    }
}

/// The columns that are shown, and their widths.
struct Layout {
    name: usize,
    stored: bool,
    format: bool,
    /// 0 if there is nothing to say.
    state: usize,
    about: bool,
}

impl Layout {
    /// The layout with the most columns that fits.
    fn of(rows: &[Row<'_>], problems: &[&Problem]) -> Self {
        let names = rows.iter().map(|it| it.session.id.as_str());
        let names = names.chain(problems.iter().map(|it| name_of(it)));
        let widest = names.map(|it| columns(&printable(it))).max().unwrap_or(0);
        let states = rows.iter().filter_map(Row::state).map(|it| it.len());
        let states = states.chain(problems.first().map(|_| "damaged".len()));
        let state = states.max().map_or(0, |it| it.max("STATE".len()));
        let stored = rows.iter().any(|it| it.stored.is_some());
        let about = rows.iter().any(|it| it.about.is_some() || it.labels().is_some());
        let layout = |stored, format, about| Self { name: NARROWEST, stored, format, state, about };
        let wanted = [
            layout(stored, true, about),
            layout(stored, false, about),
            layout(false, false, about),
            layout(stored, true, false),
            layout(false, true, false),
        ];
        let least = |it: &Self| it.name + it.right() + if it.about { 2 + NARROWEST } else { 0 };
        let fits = |it: &Self| width().is_none_or(|width| least(it) <= width);
        let chosen = wanted.into_iter().find(fits).unwrap_or(layout(false, false, false));
        let most = if chosen.about { NAME_BESIDE_ABOUT } else { usize::MAX };
        let room = |width: usize| (width + NARROWEST).saturating_sub(least(&chosen));
        let room = width().map_or(usize::MAX, |it| room(it).clamp(NARROWEST, most));
        Self { name: widest.max("SESSION".len()).min(room), ..chosen }
    }

    /// What stands between the name and what the session is about.
    fn right(&self) -> usize {
        let column = |is_shown, width| if is_shown { 2 + width } else { 0 };
        let numbers = 2 + SAVED + 2 + SIZE + column(self.stored, SIZE);
        numbers + column(self.format, FORMAT) + column(self.state > 0, self.state)
    }
}

/// All sessions, one a line, and below them those that cannot be read. There may be very many, so that it is one
/// text and nothing in between.
pub(crate) fn table(rows: &[Row<'_>], problems: &[&Problem]) -> String {
    let layout = Layout::of(rows, problems);
    let header = if coloured() { HEADER } else { Style::new() };
    let now = SystemTime::now();
    let mut text = String::with_capacity((rows.len() + 1) * (layout.name + layout.right() + 1));
    text.push_str(&header.render().to_string());
    let titles = Cells {
        name: "SESSION",
        saved: "SAVED",
        size: "SIZE",
        stored: "STORED",
        format: "FORMAT",
        state: "STATE",
        about: "ABOUT",
    };
    titles.write(&mut text, &layout, Style::new());
    let end = text.len() - 1;
    text.insert_str(end, &format!("{header:#}"));
    for row in rows {
        let session = row.session;
        let saved = session.saved.map(|it| relative(it, now).to_string());
        let size = |bytes: u64| super::size(bytes).to_string();
        let unknown = if session.is_in_full() { "-" } else { "?" };
        let state = row.state().unwrap_or_default();
        let cells = Cells {
            name: &printable(session.id.as_str()),
            saved: saved.as_deref().unwrap_or("never"),
            size: &session.size.map_or_else(|| unknown.to_owned(), size),
            stored: &row.stored.map_or_else(|| "?".to_owned(), size),
            format: &session.format.to_string(),
            state: &state,
            about: &row.about(),
        };
        cells.write(&mut text, &layout, style_of(&state));
    }
    for problem in problems {
        let cells = Cells {
            name: &printable(name_of(problem)),
            saved: "?",
            size: "?",
            stored: "?",
            format: "?",
            state: "damaged",
            about: "",
        };
        cells.write(&mut text, &layout, style_of("damaged"));
    }
    text
}

/// The name of the session, where it can be one.
fn name_of(problem: &Problem) -> &str {
    problem.id.as_ref().map_or(problem.name.as_str(), |it| it.as_str())
}

struct Cells<'a> {
    name: &'a str,
    saved: &'a str,
    size: &'a str,
    stored: &'a str,
    format: &'a str,
    state: &'a str,
    about: &'a str,
}

impl Cells<'_> {
    fn write(&self, text: &mut String, layout: &Layout, state: Style) {
        let start = text.len();
        pad(text, self.name, layout.name);
        text.push_str("  ");
        pad(text, self.saved, SAVED);
        let _ = write!(text, "  {:>SIZE$}", self.size);
        if layout.stored {
            let _ = write!(text, "  {:>SIZE$}", self.stored);
        }
        if layout.format {
            let _ = write!(text, "  {:<FORMAT$}", self.format);
        }
        if layout.state > 0 {
            let _ = write!(text, "  {state}{}{state:#}", self.state);
            text.extend(std::iter::repeat_n(' ', layout.state - self.state.len()));
        }
        if layout.about {
            text.push_str("  ");
            let left = width().map(|it| it.saturating_sub(layout.name + layout.right() + 2));
            pad(text, self.about, left.map_or(columns(self.about), |it| it.max(NARROWEST)));
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}
