//! Defines the extension module `pitstop._pitstop`. Its docstrings are those of the stub,
//! `python/pitstop/_pitstop.pyi`, which `build.rs` makes the macro `doc!`.

include!(concat!(env!("OUT_DIR"), "/doc.rs"));

mod arguments;
mod call;
mod classes;
mod error;
mod handles;
mod json;
mod location;
mod maintenance;
mod owner;
mod payload;
mod repository;
mod results;
mod revision;
mod session;
mod stream;
mod warnings;
mod writer;

use pyo3::prelude::*;

#[pymodule]
mod _pitstop {
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "it is a name of Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init() {
        crate::warnings::log();
    }

    #[pymodule_export]
    use crate::handles::{Repository, Session};
    #[pymodule_export]
    use crate::json::{dump, load};
    #[pymodule_export]
    use crate::revision::{Retention, Revision};
    #[pymodule_export]
    use crate::stream::RevisionReader;
    #[pymodule_export]
    use crate::writer::Writer;
}
