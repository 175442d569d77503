//! The files of the console, which the build has put into the binary.

/// One file, as it is and compressed.
pub(crate) struct File {
    /// Its name in the folder.
    name: &'static str,
    /// Its media type.
    pub(crate) kind: &'static str,
    /// As it is.
    pub(crate) plain: &'static [u8],
    /// By gzip.
    pub(crate) gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The name of the folder that the files are in, which is made of their content.
pub(crate) const fn folder() -> &'static str {
    FOLDER
}

/// The file of this name.
pub(crate) fn find(name: &str) -> Option<&'static File> {
    static ALL: &[File] = &FILES;
    ALL.iter().find(|file| file.name == name)
}
