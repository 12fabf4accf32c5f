use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::CopyOptions;

use super::copy;
use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::input::{self, Input};
use crate::output::{self, ProgressBar};
use crate::values::NewFormat;

const EXAMPLES: &str = "\
Examples:
  pitstop import job.tar
  pitstop import job.tar --as job-of-monday
  ssh host pitstop export job | pitstop import
";

/// Make a session of what `pitstop export` wrote
///
/// Everything is checked on the way in; if anything is wrong with it, no session is left behind. A session
/// of that name that stands where this one stood earlier is brought up to date; one that holds something
/// else is left as it is.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The archive [default: standard input, as is -]
    file: Option<PathBuf>,
    /// The name that the session gets [default: the one it had]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OsString>,
    /// How it keeps its checkpoints [default: as they were kept]
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
    let exit = copy::tell(&imported, &repository, context);
    if args.json.json {
        output::print_json(&copy::as_json(&repository, &[imported]))?;
    }
    Ok(exit)
}
