//! A bar for long work, where standard error is a terminal.

use indicatif::ProgressStyle;
use pitstop::Progress;
use unicode_width::UnicodeWidthStr;

use super::cells::pad;
use crate::context::Context;

/// So much of a name leaves room for the rest in a line.
const MOST_OF_NAME: usize = 12;

/// A bar that goes away when it is dropped.
pub(crate) struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// One that shows nothing where nobody looks.
    pub(crate) fn new(context: &Context) -> Self {
        const LOOK: &str = "{msg}  {wide_bar}  {binary_bytes} of {binary_total_bytes}, {eta} left";
        if context.is_quiet() {
            return Self(indicatif::ProgressBar::hidden());
        }
        // It hides itself where standard error is no terminal.
        let bar = indicatif::ProgressBar::new(0);
        Self(bar.with_style(
            ProgressStyle::with_template(LOOK).unwrap_or_else(|_| ProgressStyle::default_bar()),
        ))
    }

    pub(crate) fn show(&self, progress: &Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
        let mut name = String::new();
        let id = progress.session.as_str();
        pad(&mut name, id, id.width().min(MOST_OF_NAME));
        if self.0.message() != name {
            self.0.set_message(name);
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
