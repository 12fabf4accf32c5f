//! What can be wrong with an object store, or with the way to it.

/// Why an object store did not do what was asked, as far as somebody can do something about it. It is found
/// by [`Error::store_problem`](crate::Error::store_problem).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// The environment has no credentials, and the machine has no role in a cloud.
    #[error(
        "there are no credentials: none are in the environment, and this machine has none of its own"
    )]
    NoCredentials,
    /// The store does not know them, or the secret does not belong to them.
    #[error("the credentials are wrong")]
    WrongCredentials,
    /// They were good, for a time that is over.
    #[error("the credentials have expired")]
    ExpiredCredentials,
    /// They are good, but not for this.
    #[error("these credentials do not allow it")]
    NotAllowed,
    /// There is no such bucket or container.
    #[error("there is no such bucket")]
    NoBucket,
    /// The bucket is in another region than the one that was asked.
    #[error("the bucket is in another region")]
    WrongRegion,
    /// A request was too old for the store, or from its future.
    #[error("the clock of this machine is wrong")]
    WrongClock,
    /// There is no room left in the store, or the quota is used up.
    #[error("the store is full, or the quota is used up")]
    Full,
    /// The store asks for patience, longer than there was any.
    #[error("the store is overloaded")]
    Overloaded,
    /// Nothing came, for as long as a request may take.
    #[error("the store did not answer in time")]
    NoAnswer,
    /// No address has this name.
    #[error("the name of the store's host is not known")]
    UnknownHost,
    /// Nobody listens at the address, or no way leads there.
    #[error("the store cannot be reached")]
    Unreachable,
    /// What answers there has no TLS, or a certificate that this machine does not trust.
    #[error("there is no secure connection to the store")]
    NotSecure,
    /// What answers there is something else: a login page, a proxy, or a server that speaks another protocol.
    #[error("what answers there is no object store")]
    NotAStore,
    /// The endpoint has no TLS, and nobody said that this is well.
    #[error("the endpoint is http://, and so without encryption, which is not allowed")]
    HttpNotAllowed,
}
