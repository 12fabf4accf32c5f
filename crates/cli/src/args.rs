//! Options that several commands have.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone)]
pub(crate) struct GlobalArgs {
    /// The repository: a directory, or s3://BUCKET/PREFIX, gs://... or az://... [default:
    /// $PITSTOP_REPOSITORY or ~/.local/state/pitstop/sessions]
    #[arg(long, short, global = true, value_name = "LOCATION", display_order = 900)]
    pub(crate) repository: Option<PathBuf>,
    /// Print only errors and warnings
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) quiet: bool,
}

/// For commands that print something.
#[derive(Args)]
pub(crate) struct JsonArg {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// For commands that remove something.
#[derive(Args)]
pub(crate) struct RemovalArgs {
    /// Only print what would be removed
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}
