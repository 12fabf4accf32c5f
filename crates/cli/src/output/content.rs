//! What is in a checkpoint, for people.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal};
use std::time::SystemTime;

use pitstop::inspect::{Content, Json, TestRun};
use pitstop::printable;

use super::{absolute, count, relative};

/// On a terminal no more lines than this are shown of one checkpoint.
const MOST_LINES: usize = 40;
/// And no more characters of one line.
const LONGEST_LINE: usize = 1000;

/// Begins with the line that says what it is, as the other lines of `show` do. The missing logs are
/// known where there is a directory to look in.
pub(crate) fn content(content: &Content, missing: Option<&[String]>, more: &str) -> String {
    let mut text = match content {
        Content::TestRun(run, _) => {
            let of = "of PlainBox or Checkbox, format";
            format!("{:<10}{} {of} {}\n", "content", content.kind(), run.version)
        }
        _ => format!("{:<10}{}\n", "content", content.kind()),
    };
    match content {
        Content::TestRun(run, _) => test_run(&mut text, run, missing),
        Content::Json(json) => body(&mut text, &json.pretty().to_string(), more),
        Content::Text(body_text) => body(&mut text, body_text, more),
        _ => (),
    }
    text
}

/// A part of a checkpoint by itself: strings without quotes, for scripts; all else indented.
pub(crate) fn part(part: &Json) -> String {
    let text = part.as_text().unwrap_or_else(|| part.pretty().to_string());
    match io::stdout().is_terminal() {
        true => shown(&text) + "\n",
        false => text + "\n",
    }
}

fn body(text: &mut String, body: &str, more: &str) {
    text.push('\n');
    let body = body.trim_end_matches('\n');
    if !io::stdout().is_terminal() {
        let _ = writeln!(text, "{body}");
        return;
    }
    for line in body.lines().take(MOST_LINES) {
        match line.char_indices().nth(LONGEST_LINE) {
            Some((at, _)) => {
                let hidden = line[at..].chars().count();
                let _ =
                    writeln!(text, "{}… {hidden} more characters: `{more}`", shown(&line[..at]));
            }
            None => _ = writeln!(text, "{}", shown(line)),
        }
    }
    let hidden = body.lines().count().saturating_sub(MOST_LINES);
    if hidden > 0 {
        let _ = writeln!(text, "… {hidden} more lines: `{more}`");
    }
}

/// What a terminal is given: nothing steers it.
fn shown(text: &str) -> String {
    let lines = text.split('\n').map(|line| printable(&line.replace('\t', "    ")).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn test_run(text: &mut String, run: &TestRun, missing: Option<&[String]>) {
    let now = SystemTime::now();
    let mut line = |name: &str, value: &dyn Display| {
        let _ = writeln!(text, "{name:<10}{}", printable(&value.to_string()));
    };
    let words = [("title", &run.title), ("program", &run.app_id), ("test plan", &run.test_plan)];
    for (name, word) in words {
        if let Some(word) = word {
            line(name, word);
        }
    }
    if !run.flags.is_empty() {
        line("flags", &run.flags.join(", "));
    }
    match (&run.running_job, run.last_job_started) {
        (Some(job), Some(began)) => {
            line("running", &format_args!("{job}, begun {}", relative(began, now)));
        }
        (Some(job), None) => line("running", job),
        (None, Some(began)) => line("last job", &format_args!("begun {}", absolute(began))),
        (None, None) => (),
    }
    line("jobs", &format_args!("{} of {} done", run.done, run.desired));
    let outcomes: Vec<_> =
        run.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    if !outcomes.is_empty() {
        line("outcomes", &outcomes.join(", "));
    }
    if run.retried > 0 {
        line("retried", &count(run.retried, "job"));
    }
    if run.rejected > 0 {
        line("rejected", &count(run.rejected, "job"));
    }
    match missing {
        Some([]) if !run.logs.is_empty() => line("logs", &format_args!("all {}", run.logs.len())),
        Some(missing) if !missing.is_empty() => line(
            "logs",
            &format_args!("{} of {} missing: {}", missing.len(), run.logs.len(), few(missing)),
        ),
        _ => (),
    }
}

/// The first of them, and that there are more.
fn few(names: &[String]) -> String {
    const FEW: usize = 4;
    let mut text = names[..names.len().min(FEW)].join(", ");
    if names.len() > FEW {
        text += ", …";
    }
    text
}
