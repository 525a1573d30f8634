//! Owns the opening of what is converted: files and standard input, unpacked by what their first bytes
//! say, whatever they are called.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::os::fd::AsFd as _;

use crate::config::request::ConvertInput;
use crate::sink::pack::{MAGIC_LENGTH, detect_compression, unpack};

/// The bytes of `input`, unpacked. Their end within a member or frame is an error when it is read.
///
/// # Errors
/// It cannot be opened or read.
pub fn open(input: &ConvertInput) -> io::Result<Box<dyn Read>> {
    let mut file = match input {
        ConvertInput::File(path) => File::open(path)?,
        // Past std's own handle, whose small buffer would only be copied through.
        ConvertInput::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
    };
    let first = first_bytes(&mut file)?;
    let packing = detect_compression(&first);
    unpack(packing, Cursor::new(first).chain(file))
}

/// The first bytes, fewer where there are not so many.
fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(MAGIC_LENGTH);
    file.take(MAGIC_LENGTH as u64).read_to_end(&mut first)?;
    Ok(first)
}

/// Why an input could not be read to its end, in words for those who do not know the library's.
pub fn describe_read_error(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "what is packed in it breaks off before its end".to_owned(),
        _ => error.to_string(),
    }
}
