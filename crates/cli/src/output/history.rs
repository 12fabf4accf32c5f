//! The table of a session's revisions.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use pitstop::{History, Kept, Revision};

use super::cells::{HEADER, labels, pad};
use super::{coloured, relative, size, width};

const DAMAGED: Style = AnsiColor::Red.on_default();

const REVISION: usize = 8;
const SAVED: usize = 13;
const SIZE: usize = 8;
/// What stands to the left of the labels, and in a narrow terminal.
const LEFT: usize = NARROW + SIZE + 2;
const NARROW: usize = REVISION + 2 + SAVED + 2 + SIZE + 2;
/// Below this labels are of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;

/// Those of `revisions`, and the damaged ones among them where they belong, newest first.
pub(crate) fn history(revisions: &[&Kept], history: &History) -> String {
    let has_room = width().is_none_or(|width| width >= LEFT + NARROWEST);
    let left = if has_room { LEFT } else { NARROW };
    let labels = width().map(|width| width.saturating_sub(left).max(NARROWEST));
    let (header, bad) = match coloured() {
        true => (HEADER, DAMAGED),
        false => (Style::new(), Style::new()),
    };
    let mut rows: Vec<(Revision, Option<&Kept>)> =
        revisions.iter().map(|it| (it.info.revision, Some(*it))).collect();
    rows.extend(history.damaged.iter().map(|it| (*it, None)));
    rows.sort_by_key(|(revision, _)| std::cmp::Reverse(revision.number()));

    let now = SystemTime::now();
    let mut text = header.render().to_string();
    let _ = write!(text, "{:>REVISION$}  {:<SAVED$}", "REVISION", "SAVED");
    let _ = write!(text, "  {:>SIZE$}", "SIZE");
    if has_room {
        let _ = write!(text, "  {:>SIZE$}", "STORED");
    }
    let _ = writeln!(text, "  LABELS{header:#}");
    for (revision, kept) in rows {
        let number = revision.to_string();
        let _ = match kept {
            Some(kept) => row(&mut text, &number, kept, now, has_room, labels),
            None => writeln!(text, "{number:>REVISION$}  {bad}damaged{bad:#}"),
        };
    }
    text
}

fn row(
    text: &mut String,
    number: &str,
    kept: &Kept,
    now: SystemTime,
    has_room: bool,
    widest: Option<usize>,
) -> std::fmt::Result {
    let saved = relative(kept.info.saved, now).to_string();
    let (bytes, stored) = (size(kept.info.size).to_string(), size(kept.stored).to_string());
    write!(text, "{number:>REVISION$}  {saved:<SAVED$}  {bytes:>SIZE$}  ")?;
    if has_room {
        write!(text, "{stored:>SIZE$}  ")?;
    }
    let labels = self::labels(&kept.info.labels);
    match widest {
        Some(widest) => pad(text, &labels, widest),
        None => text.push_str(&labels),
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(())
}
