//! What such a store answers, and does.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, iter, once};
use futures_util::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::upload::Upload;
use super::{Copy, Fault, Faulty, Request};

pub(super) fn before(fault: Option<Fault>) -> Result<()> {
    match fault {
        Some(Fault::Overloaded) => Err(answer("status code: 503 Service Unavailable")),
        Some(Fault::Reset | Fault::Gone) => Err(answer("connection reset")),
        Some(Fault::Conflict) => {
            Err(Error::Precondition { path: String::new(), source: "409".into() })
        }
        Some(Fault::Refused) => {
            Err(Error::PermissionDenied { path: String::new(), source: "403".into() })
        }
        _ => Ok(()),
    }
}

pub(super) fn after<T>(fault: Option<Fault>, done: Result<T>) -> Result<T> {
    match fault {
        Some(Fault::LostSuccess | Fault::GoneAfter) => Err(answer("connection reset")),
        _ => done,
    }
}

fn answer(text: &str) -> Error {
    Error::Generic { store: "faulty", source: text.to_owned().into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    fn listed_from(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let all = self.inner.list_with_offset(prefix, offset);
        let all = match self.lists_for_ever() {
            true => {
                let objects = all.map(|it| it.unwrap()).collect::<Vec<_>>().now_or_never().unwrap();
                iter(objects.into_iter().cycle().map(Ok)).boxed()
            }
            false => all,
        };
        all.map(move |it| match this.list_one() {
            true => it,
            false => Err(answer("status code: 503 Service Unavailable")),
        })
        .boxed()
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let ignores_conditions = {
            let mut state = self.state.lock().unwrap();
            state.bytes += payload.content_length();
            state.ignores_conditions
        };
        if !self.is_heard(path) {
            return Err(answer("status code: 503 Service Unavailable"));
        }
        self.sleep.request().await;
        if self.is_copied() {
            self.keep_copy(Copy::Put(path.clone(), payload.clone(), options.clone()));
        }
        let fault = self.next(Request::Put);
        if ignores_conditions {
            options.mode = PutMode::Overwrite;
        }
        // A put without a condition meets none.
        if !(fault == Some(Fault::Conflict) && options.mode == PutMode::Overwrite) {
            before(fault)?;
        }
        let done = self.inner.put_opts(path, payload.clone(), options.clone()).await;
        if done.is_ok() {
            self.note_head(path, &payload);
        }
        let done = match fault {
            Some(Fault::Duplicate) => self.inner.put_opts(path, payload, options).await,
            _ => done,
        };
        after(fault, done)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.sleep.request().await;
        let fault = self.next(Request::Begin);
        before(fault)?;
        let inner = self.inner.put_multipart_opts(path, options).await?;
        let begun: Box<dyn MultipartUpload> = Upload::begin(self.clone(), inner);
        after(fault, Ok(begun))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.sleep.request().await;
        let fault = self.next(Request::Get);
        if fault != Some(Fault::Conflict) {
            before(fault)?;
        }
        self.take_time().await;
        after(fault, self.inner.get_opts(path, options).await)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = async move {
            this.sleep.request().await;
            let paths: Vec<Path> = paths.try_collect().await.unwrap();
            if this.is_copied() {
                this.keep_copy(Copy::Delete(paths.clone()));
            }
            let paths = iter(paths.into_iter().map(Ok)).boxed();
            let fault = this.next(Request::Delete);
            match before(fault) {
                Err(error) if fault != Some(Fault::Conflict) => once(async { Err(error) }).boxed(),
                _ => this.inner.delete_stream(paths).map(move |it| after(fault, it)).boxed(),
            }
        };
        once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix, offset) = (self.clone(), prefix.cloned(), offset.clone());
        let listed = async move {
            this.sleep.request().await;
            let fault = this.next(Request::List);
            match before(fault) {
                Err(error) if fault != Some(Fault::Conflict) => once(async { Err(error) }).boxed(),
                _ => this.listed_from(prefix.as_ref(), &offset),
            }
        };
        once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
