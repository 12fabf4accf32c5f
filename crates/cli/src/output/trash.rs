//! The tables of what was removed.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use pitstop::{Gone, SessionId, Trashed};
use unicode_width::UnicodeWidthStr;

use super::cells::{HEADER, pad};
use super::{coloured, relative, size, width};

const TIME: usize = 13;
const SIZE: usize = 8;
/// What stands to the right of the name.
const RIGHT: usize = 2 + TIME + 2 + TIME + 2 + SIZE;
/// Below this a name is of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;

/// What is in the trash, one session a line.
pub(crate) fn trash(sessions: &[Trashed]) -> String {
    let rows = sessions.iter().map(|it| Row {
        id: &it.id,
        removed: Some(it.removed),
        saved: it.summary.as_ref().map(|it| it.saved),
        bytes: it.usage.bytes,
    });
    table(&rows.collect::<Vec<_>>())
}

/// What was pruned, one session a line.
pub(crate) fn pruned(sessions: &[Gone]) -> String {
    let rows = sessions.iter().map(|it| Row {
        id: &it.summary.id,
        removed: None,
        saved: Some(it.summary.saved),
        bytes: it.usage.bytes,
    });
    table(&rows.collect::<Vec<_>>())
}

struct Row<'a> {
    id: &'a SessionId,
    removed: Option<SystemTime>,
    /// `None` if damage hides it.
    saved: Option<Option<SystemTime>>,
    bytes: u64,
}

fn table(rows: &[Row<'_>]) -> String {
    let widest = rows.iter().map(|it| it.id.as_str().width()).max().unwrap_or(0);
    let fits = width().map_or(usize::MAX, |width| width.saturating_sub(RIGHT).max(NARROWEST));
    let name = widest.max("SESSION".len()).min(fits);
    let header = if coloured() { HEADER } else { Style::new() };
    let now = SystemTime::now();
    let mut text = header.render().to_string();
    pad(&mut text, "SESSION", name);
    if rows.iter().any(|it| it.removed.is_some()) {
        let _ = write!(text, "  {:<TIME$}", "REMOVED");
    }
    let _ = writeln!(text, "  {:<TIME$}  {:>SIZE$}{header:#}", "SAVED", "TAKES");
    for it in rows {
        pad(&mut text, it.id.as_str(), name);
        if let Some(removed) = it.removed {
            let _ = write!(text, "  {:<TIME$}", relative(removed, now).to_string());
        }
        let saved = match it.saved {
            Some(Some(saved)) => relative(saved, now).to_string(),
            Some(None) => "never".to_owned(),
            None => "damaged".to_owned(),
        };
        let bytes = size(it.bytes).to_string();
        let _ = writeln!(text, "  {saved:<TIME$}  {bytes:>SIZE$}");
    }
    text
}
