//! An object that comes in pieces, each of which may go wrong.

use async_trait::async_trait;
use futures_util::FutureExt;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::answers::{after, before};
use super::{Faulty, Request};

#[derive(Debug)]
pub(super) struct Upload {
    store: Faulty,
    inner: Box<dyn MultipartUpload>,
    is_open: bool,
}

impl Upload {
    pub(super) fn begin(store: Faulty, inner: Box<dyn MultipartUpload>) -> Box<Self> {
        store.state.lock().unwrap().uploads += 1;
        Box::new(Self { store, inner, is_open: true })
    }

    fn end(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Err(Error::NotFound { path: String::new(), source: "NoSuchUpload".into() });
        }
        self.store.state.lock().unwrap().uploads -= 1;
        Ok(())
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, piece: PutPayload) -> UploadPart {
        self.store.state.lock().unwrap().bytes += piece.content_length();
        let fault = self.store.next(Request::Piece);
        match before(fault) {
            Err(error) => async { Err(error) }.boxed(),
            Ok(()) => {
                let put = self.inner.put_part(piece);
                async move { after(fault, put.await) }.boxed()
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fault = self.store.next(Request::Complete);
        before(fault)?;
        self.end()?;
        let done = self.inner.complete().await;
        after(fault, done)
    }

    async fn abort(&mut self) -> Result<()> {
        let fault = self.store.next(Request::Abort);
        before(fault)?;
        self.end()?;
        let done = self.inner.abort().await;
        after(fault, done)
    }
}
