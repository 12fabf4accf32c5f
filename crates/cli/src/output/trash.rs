//! The table of what is in the trash.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use pitstop::Trashed;
use unicode_width::UnicodeWidthStr;

use super::table::{HEADER, pad};
use super::{coloured, relative, size, width};

const TIME: usize = 13;
const SIZE: usize = 8;
/// What stands to the right of the name.
const RIGHT: usize = 2 + TIME + 2 + TIME + 2 + SIZE;
/// Below this a name is of no use, and the terminal may as well wrap the line.
const NARROWEST: usize = 12;

/// One session a line.
pub(crate) fn trash(sessions: &[Trashed]) -> String {
    let widest = sessions.iter().map(|it| it.id.as_str().width()).max().unwrap_or(0);
    let fits = width().map_or(usize::MAX, |width| width.saturating_sub(RIGHT).max(NARROWEST));
    let name = widest.max("SESSION".len()).min(fits);
    let header = if coloured() { HEADER } else { Style::new() };
    let now = SystemTime::now();
    let mut text = header.render().to_string();
    pad(&mut text, "SESSION", name);
    let _ =
        writeln!(text, "  {:<TIME$}  {:<TIME$}  {:>SIZE$}{header:#}", "REMOVED", "SAVED", "TAKES");
    for it in sessions {
        pad(&mut text, it.id.as_str(), name);
        let removed = relative(it.removed, now).to_string();
        let saved = it.summary.as_ref().map(|it| it.saved);
        let saved = match saved {
            Some(Some(saved)) => relative(saved, now).to_string(),
            Some(None) => "never".to_owned(),
            None => "damaged".to_owned(),
        };
        let bytes = size(it.usage.bytes).to_string();
        let _ = writeln!(text, "  {removed:<TIME$}  {saved:<TIME$}  {bytes:>SIZE$}");
    }
    text
}
