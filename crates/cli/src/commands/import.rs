use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::CopyOptions;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::input::{self, Input};
use crate::output::{self, ProgressBar};
use crate::report::{self, CopyReport};
use crate::values::NewFormat;

const EXAMPLES: &str = "\
Examples:
  pitstop import job.tar
  pitstop import job.tar --as job-of-monday
  ssh host pitstop export job | pitstop import
";

/// Create a session from an archive made by `pitstop export`
///
/// Everything is checked; if anything is wrong, no session is created. An existing session of that name is
/// brought up to date if its history is an earlier part of the imported one, else not changed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The archive [default: standard input, as is -]
    file: Option<PathBuf>,
    /// The name of the session [default: the one it had]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OsString>,
    /// The format of the session [default: the one it had]
    #[arg(long, value_enum)]
    format: Option<NewFormat>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let bar = ProgressBar::new(context);
    let mut options = CopyOptions::new().progress(|progress| bar.show(progress));
    if let Some(name) = &args.name {
        options = options.id(input::session_id(name)?);
    }
    if let Some(format) = args.format {
        options = options.format(format.into());
    }
    let imported = Input::open(args.file.as_deref(), context)?.import(&repository, options);
    drop(bar);
    let imported = imported?;
    let exit = report::print_copied(&imported, &repository, context);
    if args.json.json {
        let repository = report::location(&repository);
        output::print_json(&CopyReport { repository, copied: &[imported], problems: &[] })?;
    }
    Ok(exit)
}
