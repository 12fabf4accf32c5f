//! The cells of tables.

use std::fmt::Write as _;

use anstyle::Style;
use pitstop::Labels;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::context::printable;

pub(super) const HEADER: Style = Style::new().bold();

pub(super) fn columns(name: &str) -> usize {
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

/// `phase=import step=7`. What would read as several words is in quotes.
pub(crate) fn labels(labels: &Labels) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let separator = if text.is_empty() { "" } else { " " };
        let name = printable(name);
        let _ = match value.is_empty() || value.contains([' ', '"', '=']) {
            true => write!(text, "{separator}{name}={value:?}"),
            false => write!(text, "{separator}{name}={}", printable(value)),
        };
    }
    text
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

    #[test]
    fn labels_are_told_apart_and_steer_no_terminal() {
        let labels_of = |labels: &[(&str, &str)]| {
            self::labels(&labels.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect())
        };
        assert_eq!(labels_of(&[("step", "7"), ("phase", "import")]), "phase=import step=7");
        assert_eq!(labels_of(&[("a", "one two"), ("b", "")]), "a=\"one two\" b=\"\"");
        assert_eq!(labels_of(&[("a", "\u{1b}[31m")]), "a=\\u{1b}[31m");
        assert_eq!(labels_of(&[]), "");
    }
}
