//! The bytes of any object that has some, and files of Python.

use std::io::{self, Read, Write};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};

/// At most so much is read from a file, or copied from a buffer, at once.
const PIECE: usize = 1 << 20;

/// Larger buffers that may change while they are saved are copied piece by piece: 8 MiB, of which the library
/// keeps as much in memory when it saves from a source.
const LARGE: usize = 8 << 20;

/// What is to be saved.
pub(crate) enum Payload<'py> {
    /// Bytes that do not change.
    Bytes(Bound<'py, PyBytes>),
    /// A large buffer, held until it is saved, so that it keeps its place and size.
    Buffer(HeldBuffer),
}

impl<'py> Payload<'py> {
    pub(crate) fn of(data: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone()));
        }
        let view = view(data)?;
        let size: usize = view.getattr("nbytes")?.extract()?;
        if size > LARGE && view.getattr("c_contiguous")?.is_truthy()? {
            // Only buffers of plain numbers and characters can be cast.
            if let Ok(view) = view.call_method1("cast", ("B",)) {
                return Ok(Self::Buffer(HeldBuffer { view: view.unbind(), size, position: 0 }));
            }
        }
        Ok(Self::Bytes(view.call_method0("tobytes")?.cast_into()?))
    }
}

/// A view of a buffer that holds bytes, and no addresses of this process.
fn view<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let class = || data.get_type().name().map_or_else(|_| "?".to_owned(), |it| it.to_string());
    let Ok(view) = PyMemoryView::from(data) else {
        return Err(PyTypeError::new_err(format!(
            "argument 'data': expected bytes or an object with a buffer of them, not {}",
            class()
        )));
    };
    let format: String = view.getattr("format")?.extract()?;
    if holds_addresses(&format) {
        return Err(PyTypeError::new_err(format!(
            "argument 'data': {} has a buffer of objects, of which it holds only the addresses",
            class()
        )));
    }
    Ok(view.into_any())
}

/// Whether a format of PEP 3118 has objects or pointers in it. Names of fields stand between colons.
fn holds_addresses(format: &str) -> bool {
    format.split(':').step_by(2).any(|codes| codes.contains(['O', 'P', '&']))
}

/// Reads a buffer of Python piece by piece.
pub(crate) struct HeldBuffer {
    view: Py<PyAny>,
    size: usize,
    position: usize,
}

impl Read for HeldBuffer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.size.min(self.position + buffer.len().min(PIECE));
        let position = std::mem::replace(&mut self.position, end);
        Python::attach(|py| {
            let (start, stop) = (position.cast_signed(), end.cast_signed());
            let piece = self.view.bind(py).get_item(PySlice::new(py, start, stop, 1))?;
            let piece = piece.call_method0("tobytes")?.cast_into::<PyBytes>()?;
            buffer[..end - position].copy_from_slice(piece.as_bytes());
            Ok(end - position)
        })
        .map_err(io::Error::other::<PyErr>)
    }
}

/// A file of Python, or anything else with a method `read`. What it raises is raised again.
pub(crate) struct Source(Py<PyAny>);

impl Source {
    pub(crate) fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(file.getattr("read")?.unbind()))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            py.check_signals()?;
            let read = self.0.call1(py, (buffer.len().min(PIECE),))?;
            let view = view(read.bind(py))?;
            let data = view.call_method0("tobytes")?.cast_into::<PyBytes>()?;
            let data = data.as_bytes();
            let Some(filled) = buffer.get_mut(..data.len()) else {
                return Err(PyValueError::new_err("read() gave more bytes than it was asked for"));
            };
            filled.copy_from_slice(data);
            Ok(data.len())
        })
        .map_err(io::Error::other::<PyErr>)
    }
}

/// A file of Python, or anything else with a method `write`. What it raises is raised again.
pub(crate) struct Sink {
    write: Py<PyAny>,
    flush: Option<Py<PyAny>>,
}

impl Sink {
    pub(crate) fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        let flush = file.getattr_opt("flush")?.map(Bound::unbind);
        Ok(Self { write: file.getattr("write")?.unbind(), flush })
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Python::attach(|py| {
            py.check_signals()?;
            let written = self.write.call1(py, (PyBytes::new(py, data),))?;
            // Who does not say so takes all.
            match written.extract::<Option<usize>>(py)?.unwrap_or(data.len()) {
                written if written <= data.len() => Ok(written),
                _ => Err(PyValueError::new_err("write() took more bytes than it was given")),
            }
        })
        .map_err(io::Error::other::<PyErr>)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(flush) = &self.flush else { return Ok(()) };
        Python::attach(|py| flush.call0(py)).map(drop).map_err(io::Error::other)
    }
}
