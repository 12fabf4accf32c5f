/// Why a path or a URL is not the location of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationProblem {
    /// The path is empty.
    #[error("its path is empty")]
    Empty,
    /// The path has a NUL in it.
    #[error("its path has a NUL in it")]
    Nul,
    /// The path of a session's directory does not end in a name.
    #[error("its path ends in no name")]
    NoName,
    /// Something on the path is not a directory.
    #[error("it, or something on the way to it, is not a directory")]
    NotADirectory,
    /// A directory on the path does not exist and cannot be made.
    #[error("it leads through a directory that does not exist")]
    NoParent,
    /// It is a link that leads nowhere.
    #[error("it is a link that leads nowhere")]
    DanglingLink,
    /// No location was named, and this user has no home directory.
    #[error("this user has no home directory: name a repository")]
    NoHome,
    /// The prefix of a URL has characters that no key may have.
    #[error("its prefix has characters that no key may have")]
    Prefix,
    /// It is not a URL.
    #[error("it is not a URL")]
    NotAUrl,
    /// The URL has credentials in it.
    #[error("it has credentials in it: these belong in the environment")]
    Credentials,
    /// The URL has a query or a fragment.
    #[error("the URL of a repository has no '?' and no '#'")]
    Query,
    /// The URL has no bucket.
    #[error("it names no bucket")]
    NoBucket,
    /// The scheme of the URL is not that of an object store.
    #[error("only s3://, gs:// and az:// URLs can be")]
    Scheme,
    /// The environment does not describe the store completely.
    #[error("what the environment says of this store is incomplete or wrong")]
    Environment,
    /// The endpoint in the environment has credentials in it.
    #[error(
        "its endpoint in the environment has credentials in it: these have variables of their own"
    )]
    EndpointCredentials,
}
