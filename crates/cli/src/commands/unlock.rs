use std::ffi::OsString;

use clap::Args;
use pitstop::{SessionId, Unlocked};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::wait::WaitArg;
use crate::{input, output};

/// Remove PlainBox's stale lock or revoke a remote writer's lease
///
/// Only if you are sure that it is not running. Nothing that Pitstop leaves behind needs this: in an object
/// store a save watches a writer on another machine for a minute, and takes over if it is silent.
///
/// PlainBox is the engine of Checkbox, which tests Ubuntu machines; Pitstop reads and writes its sessions. Its
/// lock is kept beside the checkpoint, as `session.aside-N`.
#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// The name of the session
    session: OsString,
    #[command(flatten)]
    wait: WaitArg,
    #[command(flatten)]
    json: JsonArg,
}

/// What an unlock did.
#[derive(Serialize)]
struct UnlockReport<'a> {
    /// The name of the session.
    id: &'a SessionId,
    #[serde(flatten)]
    unlocked: &'a Unlocked,
}

pub(super) fn run(args: &UnlockArgs, context: &Context) -> Outcome {
    let session = context.open()?.get(input::session_id(&args.session)?)?;
    let unlocked = args.wait.until_free(&session, || session.unlock())?;
    match &unlocked {
        Unlocked::MovedAside(place) => {
            context.print_status(format_args!("unlocked: the lock is kept as {}", place.display()));
        }
        Unlocked::Displaced(owner) => {
            context.print_status(format_args!("unlocked: the lease of {owner} was revoked"));
        }
        _ => context.print_status(format_args!("'{}' was not locked", session.id())),
    }
    match args.json.json {
        true => output::print_json(&UnlockReport { id: session.id(), unlocked: &unlocked }),
        false => Ok(Exit::Ok),
    }
}
