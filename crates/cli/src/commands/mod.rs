//! The commands, one in each file.

mod completions;
mod convert;
mod copy;
mod create;
mod export;
mod fork;
mod history;
mod import;
mod last;
mod list;
mod load;
mod man;
mod prune;
mod remove;
mod rename;
mod restore;
mod run;
mod save;
mod show;
mod status;
mod trash;
mod unlock;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::error::Outcome;

/// The commands as help groups them.
pub(crate) const GROUPS: &[(&str, &[&str])] = &[
    ("Keep state", &["save", "load", "create", "run", "convert"]),
    ("See what is there", &["list", "show", "history"]),
    ("See what is running, and what can be resumed", &["status", "last", "unlock"]),
    ("Go back, or go on elsewhere", &["restore", "fork", "rename", "copy", "export", "import"]),
    ("Find and repair damage", &["verify"]),
    ("Remove", &["remove", "prune", "trash"]),
    ("Set up", &["completions", "man"]),
];

#[derive(Subcommand)]
pub(crate) enum Command {
    Create(create::CreateArgs),
    Save(save::SaveArgs),
    Run(run::RunArgs),
    Load(load::LoadArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    History(history::HistoryArgs),
    Restore(restore::RestoreArgs),
    Fork(fork::ForkArgs),
    Copy(copy::CopyArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Convert(convert::ConvertArgs),
    Last(last::LastArgs),
    Status(status::StatusArgs),
    Unlock(unlock::UnlockArgs),
    Remove(remove::RemoveArgs),
    Rename(rename::RenameArgs),
    Prune(prune::PruneArgs),
    Verify(verify::VerifyArgs),
    Trash(trash::TrashArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Save(_) => "save",
            Self::Run(_) => "run",
            Self::Load(_) => "load",
            Self::List(_) => "list",
            Self::Show(_) => "show",
            Self::History(_) => "history",
            Self::Restore(_) => "restore",
            Self::Fork(_) => "fork",
            Self::Copy(_) => "copy",
            Self::Export(_) => "export",
            Self::Import(_) => "import",
            Self::Convert(_) => "convert",
            Self::Last(_) => "last",
            Self::Status(_) => "status",
            Self::Unlock(_) => "unlock",
            Self::Remove(_) => "remove",
            Self::Rename(_) => "rename",
            Self::Prune(_) => "prune",
            Self::Verify(_) => "verify",
            Self::Trash(_) => "trash",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// `whole` makes the command line, for the commands that describe it.
    pub(crate) fn run(&self, context: &Context, whole: fn() -> clap::Command) -> Outcome {
        match self {
            Self::Create(args) => create::run(args, context),
            Self::Save(args) => save::run(args, context),
            Self::Run(args) => run::run(args, context),
            Self::Load(args) => load::run(args, context),
            Self::List(args) => list::run(args, context),
            Self::Show(args) => show::run(args, context),
            Self::History(args) => history::run(args, context),
            Self::Restore(args) => restore::run(args, context),
            Self::Fork(args) => fork::run(args, context),
            Self::Copy(args) => copy::run(args, context),
            Self::Export(args) => export::run(args, context),
            Self::Import(args) => import::run(args, context),
            Self::Convert(args) => convert::run(args, context),
            Self::Last(args) => last::run(args, context),
            Self::Status(args) => status::run(args, context),
            Self::Unlock(args) => unlock::run(args, context),
            Self::Remove(args) => remove::run(args, context),
            Self::Rename(args) => rename::run(args, context),
            Self::Prune(args) => prune::run(args, context),
            Self::Verify(args) => verify::run(args, context),
            Self::Trash(args) => trash::run(args, context),
            Self::Completions(args) => completions::run(args),
            Self::Man(args) => man::run(args, whole(), context),
        }
    }
}
