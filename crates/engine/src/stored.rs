//! Files of records: how trees and comparisons are stored. A record is whatever serde can store; nothing here knows which.
//!
//! ```text
//! {"format":"fcs-tree","version":1,"engine":"0.9.0"}\n
//! length u32 | record (postcard)         ... as many as there are
//! 0 u32 | number of records u64 | BLAKE3 of all bytes before these 40
//! ```
//!
//! Numbers are little-endian. Plans are JSON lines instead ([`crate::plan::file`]), because people look through them and
//! cut them up; a scan of millions of items is read by programs, three to five times faster and in a quarter of the bytes.
//!
//! Invariants: what is read is what was written, whole and unchanged, or an error; that is known only at the end, so
//! nothing may be concluded from records before. Neither writer nor reader holds more than one record, and none is longer
//! than [`LONGEST`], whatever a length says.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest record, in bytes: 256 items with names and link texts of 64 KiB.
const LONGEST: u32 = 32 << 20;
/// Longest first line, in bytes.
const LONGEST_HEADER: u64 = 4096;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    /// In words, after "no".
    pub(crate) what: &'static str,
}

/// Why a stored file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StoredFileError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is none of such a file.
    #[error("it is no {what}")]
    NotThis {
        /// What it should be.
        what: &'static str,
    },
    /// Another version of the program wrote it.
    #[error("it has format {found}, and this program reads format {reads}")]
    OtherVersion {
        /// The version in it.
        found: u32,
        /// The version that would be read.
        reads: u32,
    },
    /// A record that no such file has.
    #[error("record {record} is wrong: {why}")]
    BadRecord {
        /// Counted from 1.
        record: u64,
        /// In words.
        why: String,
    },
    /// The end is missing.
    #[error("it ends early")]
    EndsEarly,
    /// The bytes are not those that were written.
    #[error("it has been changed since it was written")]
    Changed,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    #[serde(default)]
    engine: String,
}

/// Writes records, holding one.
#[derive(Debug)]
pub(crate) struct Writer<W: Write> {
    out: W,
    hasher: blake3::Hasher,
    records: u64,
    record: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(mut out: W, format: &Format) -> io::Result<Self> {
        let header = Header {
            format: format.name.to_owned(),
            version: format.version,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        let mut hasher = blake3::Hasher::new();
        hasher.update(&line);
        out.write_all(&line)?;
        Ok(Self { out, hasher, records: 0, record: Vec::new() })
    }

    pub(crate) fn push(&mut self, record: &impl Serialize) -> io::Result<()> {
        const PREFIX: usize = size_of::<u32>();
        let mut bytes = std::mem::take(&mut self.record);
        bytes.clear();
        bytes.resize(PREFIX, 0);
        bytes =
            postcard::to_extend(record, bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        let length = u32::try_from(bytes.len() - PREFIX).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or(io::ErrorKind::FileTooLarge)?;
        bytes[..PREFIX].copy_from_slice(&length.to_le_bytes());
        self.hasher.update(&bytes);
        self.out.write_all(&bytes)?;
        self.records += 1;
        self.record = bytes;
        Ok(())
    }

    /// Writes the end, without which nobody takes the file for whole. Returns what it wrote to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let mut end = [0; 12];
        end[4..].copy_from_slice(&self.records.to_le_bytes());
        self.hasher.update(&end);
        self.out.write_all(&end)?;
        self.out.write_all(self.hasher.finalize().as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads records, holding one.
#[derive(Debug)]
pub(crate) struct Reader<R: BufRead> {
    input: R,
    hasher: blake3::Hasher,
    records: u64,
    record: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn begin(mut input: R, format: &Format) -> Result<Self, StoredFileError> {
        let mut line = Vec::new();
        input.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut line)?;
        let header: Option<Header> = serde_json::from_slice(&line).ok();
        let header = header.filter(|header| header.format == format.name && line.ends_with(b"\n"));
        let header = header.ok_or(StoredFileError::NotThis { what: format.what })?;
        if header.version != format.version {
            return Err(StoredFileError::OtherVersion { found: header.version, reads: format.version });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&line);
        Ok(Self { input, hasher, records: 0, record: line })
    }

    /// The next record; `None` at the end of a file that is whole.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoredFileError> {
        let length = u32::from_le_bytes(self.exactly()?);
        self.hasher.update(&length.to_le_bytes());
        if length == 0 {
            return self.end().map(|()| None);
        }
        self.records += 1;
        if length > LONGEST {
            return Err(self.bad(&"it is too long"));
        }
        self.record.clear();
        // Grows as bytes come, so that a length alone takes no memory.
        if self.input.by_ref().take(u64::from(length)).read_to_end(&mut self.record)? < length as usize {
            return Err(StoredFileError::EndsEarly);
        }
        self.hasher.update(&self.record);
        match postcard::take_from_bytes(&self.record) {
            Ok((record, [])) => Ok(Some(record)),
            Ok(_) => Err(self.bad(&"it is longer than what it holds")),
            Err(e) => Err(self.bad(&e)),
        }
    }

    fn end(&mut self) -> Result<(), StoredFileError> {
        let records: [u8; 8] = self.exactly()?;
        self.hasher.update(&records);
        let hash: [u8; 32] = self.exactly()?;
        let is_whole = u64::from_le_bytes(records) == self.records && self.hasher.finalize() == hash;
        // What follows the end nobody wrote.
        if is_whole && self.input.fill_buf()?.is_empty() { Ok(()) } else { Err(StoredFileError::Changed) }
    }

    fn exactly<const N: usize>(&mut self) -> Result<[u8; N], StoredFileError> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(StoredFileError::EndsEarly),
            Err(e) => Err(e.into()),
        }
    }

    /// The record that was read last makes no sense.
    pub(crate) fn bad(&self, why: &impl ToString) -> StoredFileError {
        StoredFileError::BadRecord { record: self.records, why: why.to_string() }
    }
}

/// What [`Writer`] is to a file, for any format: a sequence of so many parts.
pub(crate) fn collect<S: Serializer>(
    serializer: S,
    count: usize,
    mut parts: impl Iterator<Item = impl Serialize>,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(count))?;
    parts.try_for_each(|part| sequence.serialize_element(&part))?;
    sequence.end()
}

/// Takes the parts of a sequence one by one, holding none.
pub(crate) fn each<'de, D: Deserializer<'de>, T: Deserialize<'de>, E: fmt::Display>(
    deserializer: D,
    take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), D::Error> {
    struct Each<T, F>(F, PhantomData<T>);
    impl<'de, T: Deserialize<'de>, E: fmt::Display, F: FnMut(T) -> Result<(), E>> Visitor<'de> for Each<T, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence of parts")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut parts: A) -> Result<(), A::Error> {
            while let Some(part) = parts.next_element()? {
                (self.0)(part).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    deserializer.deserialize_seq(Each(take, PhantomData))
}

#[cfg(test)]
pub(crate) mod tests {
    /// A file of records with its lengths, their number and its checksum made to fit whatever is in it; so that what
    /// chance makes of one gets past them.
    pub(crate) fn made_whole(file: &[u8]) -> Vec<u8> {
        let header = file.iter().position(|&byte| byte == b'\n').map_or(file.len(), |at| at + 1);
        let (header, mut rest) = file.split_at(header);
        let (mut out, mut records) = (header.to_vec(), 0_u64);
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length == 0 || behind.is_empty() {
                break;
            }
            let (record, behind) = behind.split_at(length.min(behind.len()));
            out.extend_from_slice(&(record.len() as u32).to_le_bytes());
            out.extend_from_slice(record);
            (rest, records) = (behind, records + 1);
        }
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&records.to_le_bytes());
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }
}
