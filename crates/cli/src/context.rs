//! What every command needs: where the repository is, and how to talk to the person.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use pitstop::Repository;

use crate::args::GlobalArgs;
use crate::error::CommandError;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

pub(crate) struct Context {
    repository: Option<PathBuf>,
    quiet: bool,
    /// The name of the command that runs.
    pub(crate) command: &'static str,
}

impl Context {
    pub(crate) fn new(args: &GlobalArgs, command: &'static str) -> Self {
        Self { repository: args.repository.clone(), quiet: args.quiet, command }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(command: &'static str) -> Self {
        Self { repository: None, quiet: true, command }
    }

    pub(crate) fn open(&self) -> Result<Repository, CommandError> {
        match &self.repository {
            Some(location) => self.open_at(location),
            None => Ok(Repository::open_default()?),
        }
    }

    /// Another repository than the one this command is about.
    pub(crate) fn open_at(&self, location: &Path) -> Result<Repository, CommandError> {
        Ok(Repository::open(location)?)
    }

    /// Whether to say nothing but errors and warnings.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Tells the person something that is no data.
    pub(crate) fn print_status(&self, message: impl Display) {
        if !self.quiet {
            say(format_args!("{}", printable(&message.to_string())));
        }
    }

    pub(crate) fn hint(&self, message: impl Display) {
        if !self.quiet {
            labelled(HINT, "hint", &message.to_string());
        }
    }

    pub(crate) fn warn(&self, error: &(dyn std::error::Error + 'static)) {
        warning(&error.to_string());
        causes(error);
    }

    /// Prints what went wrong, and why.
    pub(crate) fn error(&self, error: &(dyn std::error::Error + 'static)) {
        labelled(ERROR, "error", &error.to_string());
        causes(error);
    }

    /// A command to type next. It names the repository if this one did.
    pub(crate) fn command_line(&self, words: &[&str]) -> String {
        let mut line = "pitstop".to_owned();
        if let Some(repository) = &self.repository {
            line += " --repository ";
            line += &quoted(&repository.to_string_lossy());
        }
        for word in words {
            line += " ";
            line += &quoted(word);
        }
        line
    }
}

pub(crate) fn warning(message: &str) {
    labelled(WARNING, "warning", message);
}

fn causes(error: &(dyn std::error::Error + 'static)) {
    let mut source = error.source();
    while let Some(cause) = source {
        labelled(ERROR, "cause", &cause.to_string());
        source = cause.source();
    }
}

fn labelled(style: Style, label: &str, message: &str) {
    say(format_args!("{style}{label}:{style:#} {}", printable(message)));
}

/// A standard error that is closed or full is no reason to stop.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Names come from the disk and may hold anything: none may steer the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match steers(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether a terminal does something else with it than show it: also what turns the direction of the text
/// around, by which a name can pass for another one.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word as a POSIX shell takes it.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("nightly-import"), "nightly-import");
        assert_eq!(quoted("my job"), "'my job'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("~00ff"), "'~00ff'");
    }
}
