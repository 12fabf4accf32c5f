//! Text from a disk, a store or another process, as it can be shown to a person.

use std::borrow::Cow;
use std::fmt::Display;

/// Makes text safe to print: whoever wrote it cannot steer a terminal, forge a line or pass for another text.
///
/// Control characters (also line ends and tabs), characters that change the direction of the text and
/// invisible format characters become escapes such as `\u{1b}` and `\n`. All else stays as it is. What
/// joins letters and emoji (U+200C, U+200D) stays too.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The same of anything that can be shown, such as the path of a file.
pub(crate) fn shown(it: impl Display) -> String {
    let text = it.to_string();
    match printable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

/// Writes JSON so that it can be shown: what [`printable`] escapes stands in it as `\u001b`, which every reader
/// of JSON takes for the same character. Line ends between the values stay.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let steers = |c| c != '\n' && steers(c);
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match steers(c) {
            true => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| shown.push_str(&format!("\\u{unit:04x}"))),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else with a character than show it, or shows nothing.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_forges_a_line() {
        for (text, expected) in [
            ("nightly import: größe 日本", "nightly import: größe 日本"),
            ("a\u{1b}]52;c;eA==\u{7}b", r"a\u{1b}]52;c;eA==\u{7}b"),
            ("a\nidle\r\tb\u{7f}", r"a\nidle\r\tb\u{7f}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("user\u{202e}txt.exe", r"user\u{202e}txt.exe"),
            ("a\u{2028}b\u{feff}\u{200b}", r"a\u{2028}b\u{feff}\u{200b}"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
        ] {
            assert_eq!(printable(text), expected);
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn json_says_the_same_and_steers_nothing() {
        let text = "\u{1b}[2J \u{9b} \u{202e} \u{e0041} ü";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let shown = printable_json(&json);
        assert!(!shown.contains(|c| c != '\n' && steers(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
        assert_eq!(printable_json("{\n  \"a\": 1\n}\n"), "{\n  \"a\": 1\n}\n");
    }
}
