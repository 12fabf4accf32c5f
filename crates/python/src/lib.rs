//! Pitstop for Python: the extension module `pitstop._pitstop`. What it means to its users is said in
//! the stubs, `python/pitstop/_pitstop.pyi`.

mod archive;
mod call;
mod care;
mod checkpoint;
mod error;
mod json;
mod repository;
mod session;
mod status;
mod stream;
mod warnings;
mod writer;

use pyo3::prelude::*;

#[pymodule]
mod _pitstop {
    #[pymodule_init]
    fn init() {
        crate::warnings::log();
    }

    #[pymodule_export]
    use crate::archive::Exported;
    #[pymodule_export]
    use crate::care::{
        Finding, Leftover, Pruned, PrunedRevisions, Repair, Sweep, Trashed, Verification, Verified,
    };
    #[pymodule_export]
    use crate::checkpoint::{Checkpoint, CheckpointInfo, History, Kept, Retention, Revision};
    #[pymodule_export]
    use crate::json::dump;
    #[pymodule_export]
    use crate::repository::Repository;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::status::{Listing, Owner, Problem, Status, Summary, WriterState};
    #[pymodule_export]
    use crate::stream::CheckpointReader;
    #[pymodule_export]
    use crate::writer::Writer;
}
