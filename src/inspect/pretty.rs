use std::fmt::{self, Display, Write};

/// Below this depth everything is on one line, so that no text grows with the square of its depth.
const DEEPEST: usize = 32;
/// A list or an object without others in it stays on one line up to this length.
const SHORT: usize = 60;

/// Valid JSON, indented.
pub(super) struct Pretty<'a>(pub(super) &'a str);

impl Display for Pretty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        // Whether each open container is on one line.
        let mut open: Vec<bool> = Vec::new();
        while let Some(first) = rest.chars().next() {
            let on_one_line = open.last().copied().unwrap_or(false);
            let token = match first {
                '"' => string(rest),
                '{' | '[' | '}' | ']' | ',' | ':' => 1,
                white if white.is_whitespace() => 0,
                _ => rest.find(|c: char| ",]} \t\r\n".contains(c)).unwrap_or(rest.len()),
            };
            let (text, after) = rest.split_at(token.max(first.len_utf8()));
            rest = after;
            match first {
                '{' | '[' => {
                    f.write_str(text)?;
                    let inside = on_one_line || open.len() >= DEEPEST || is_short(after);
                    open.push(inside);
                    line(f, inside, open.len())?;
                }
                '}' | ']' => {
                    open.pop();
                    line(f, on_one_line, open.len())?;
                    f.write_str(text)?;
                }
                ',' if on_one_line => f.write_str(", ")?,
                ',' => {
                    f.write_char(',')?;
                    line(f, false, open.len())?;
                }
                ':' => f.write_str(": ")?,
                _ if token > 0 => f.write_str(text)?,
                _ => (),
            }
        }
        Ok(())
    }
}

/// Begins a line, unless all is on one.
fn line(f: &mut fmt::Formatter<'_>, on_one_line: bool, depth: usize) -> fmt::Result {
    match on_one_line {
        true => Ok(()),
        false => write!(f, "\n{:1$}", "", 2 * depth),
    }
}

/// The length of the string that this begins with, with its quotes.
fn string(text: &str) -> usize {
    let mut escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

/// Whether what was just opened ends soon and opens nothing.
fn is_short(mut rest: &str) -> bool {
    let longest = rest.len();
    while let Some(first) = rest.chars().next().filter(|_| longest - rest.len() <= SHORT) {
        match first {
            '}' | ']' => return true,
            '{' | '[' => return false,
            '"' => rest = &rest[string(rest)..],
            _ => rest = &rest[first.len_utf8()..],
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_nothing_in_it_changes() {
        let text =
            r#"{"b":{"long":[[1.50,"a, \"{[\\"],[]]},"a" : {} , "größe":[1,2 , 3],"n":1e400}"#;
        let pretty = "{\n  \"b\": {\n    \"long\": [\n      [1.50, \"a, \\\"{[\\\\\"],\n      []\n    ]\n  },\n  \
                      \"a\": {},\n  \"größe\": [1, 2, 3],\n  \"n\": 1e400\n}";
        assert_eq!(Pretty(text).to_string(), pretty);
        assert_eq!(Pretty(pretty).to_string(), pretty);
        assert_eq!(Pretty("\"x\"").to_string(), "\"x\"");
    }

    #[test]
    fn depth_costs_no_more_than_its_text() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(Pretty(&deep).to_string().len() < 2 * deep.len());
    }
}
