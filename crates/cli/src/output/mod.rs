//! What a command prints: data on standard output, for people or as JSON.

mod cells;
mod content;
mod destination;
mod history;
mod human;
mod progress;
mod table;
mod trash;
mod verify;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::error::{CommandError, Exit, Outcome};
pub(crate) use cells::labels;
pub(crate) use content::{content, part};
pub(crate) use destination::Destination;
pub(crate) use history::history;
pub(crate) use human::{absolute, age, count, relative, revisions_and_files, since, size};
pub(crate) use progress::ProgressBar;
pub(crate) use table::{Row, table};
pub(crate) use trash::{pruned, trash};
pub(crate) use verify::verified;

/// Serializes a time as the library does.
pub(crate) fn optional_time<S: serde::Serializer>(
    time: &Option<std::time::SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = |it| format!("{:.6}", jiff::Timestamp::try_from(it).unwrap_or_default());
    time.map(text).serialize(serializer)
}

/// Writes all bytes to standard output at once, past any buffer, so that success is true.
pub(crate) fn write(data: &[u8]) -> io::Result<()> {
    stdout()?.write_all(data)
}

/// Standard output without a buffer.
pub(crate) fn stdout() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// [`write`] for a listing. A reader that has seen enough of it is no error.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Outcome {
    match write(text.as_ref()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(cannot_write(Destination::of(None), error))
        }
        _ => Ok(Exit::Ok),
    }
}

/// What every JSON document begins with. docs/json.md describes this version.
#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    report: &'a T,
}

pub(crate) fn print_json(report: &impl Serialize) -> Outcome {
    let document = Document { schema: 1, report };
    let mut text = match io::stdout().is_terminal() {
        true => serde_json::to_vec_pretty(&document),
        false => serde_json::to_vec(&document),
    }
    .map_err(|error| cannot_write(Destination::of(None), error.into()))?;
    text.push(b'\n');
    print(text)
}

pub(crate) fn cannot_write(to: Destination<'_>, error: io::Error) -> CommandError {
    CommandError::io(format!("cannot write to {to}"), error)
        .hint("only the output failed: see where it goes")
}

/// Whether standard output takes colours: a terminal, and nobody said no.
pub(crate) fn coloured() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A sentence that begins with a state, which is coloured.
pub(crate) fn with_state(sentence: &str) -> String {
    let (state, rest) = sentence.split_at(sentence.find(':').unwrap_or(sentence.len()));
    let style = style_of(state);
    format!("{style}{state}{style:#}{rest}")
}

/// The colour of a state.
fn style_of(state: &str) -> Style {
    match state.split(' ').next() {
        _ if !coloured() => Style::new(),
        Some("running" | "done") => AnsiColor::Green.on_default(),
        Some("interrupted" | "stopped") => AnsiColor::Yellow.on_default(),
        Some("failed" | "damaged") => AnsiColor::Red.on_default(),
        _ => Style::new(),
    }
}

/// A line that fits the terminal, if standard output is one: what is too long goes on below, further to the
/// right. Words are left whole, so that names can be copied.
pub(crate) fn wrapped(line: &str, indent: usize) -> String {
    match width() {
        Some(width) => wrap(line, width, indent),
        None => line.to_owned(),
    }
}

/// The same, for a given width.
pub(crate) fn wrap(line: &str, width: usize, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = textwrap::Options::new(width).subsequent_indent(&indent).break_words(false);
    textwrap::fill(line, options.word_splitter(textwrap::WordSplitter::NoHyphenation))
}

/// The width of the terminal, if standard output is one.
pub(crate) fn width() -> Option<usize> {
    Some(terminal_size::terminal_size_of(io::stdout())?.0.0.into())
}
