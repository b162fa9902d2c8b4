//! Files to hand out, with their checksums beside them in the form that `sha256sum -c` and `b3sum -c` read.
//!
//! Invariant: whoever has a file of `target/dist` can check it with a tool of their own.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::sh;

/// Writes a file and its checksums into `target/dist`.
pub(crate) fn publish(name: &str, bytes: &[u8]) -> Result<(), String> {
    let place = sh::target_dir().join("dist");
    fs::create_dir_all(&place).map_err(|error| format!("Could not make {}: {error}", place.display()))?;
    let put = |name: &str, bytes: &[u8]| write(&place.join(name), bytes);
    put(name, bytes)?;
    for (kind, sum) in of(&[(name, bytes)]) {
        put(&format!("{name}.{}", kind.trim_end_matches("SUMS").to_lowercase()), &sum)?;
    }
    if sh::output_of("git", &["-C", &sh::repository().to_string_lossy(), "status", "--porcelain"])
        .is_none_or(|changes| !changes.is_empty())
    {
        println!("note: it holds changes that no commit has");
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("Could not write {}: {error}", path.display()))?;
    println!("{} ({} bytes)", path.display(), bytes.len());
    Ok(())
}

/// The checksums of files, as two more files.
pub(crate) fn of<N: AsRef<str>, B: AsRef<[u8]>>(files: &[(N, B)]) -> [(String, Vec<u8>); 2] {
    let lines = |sum: &dyn Fn(&[u8]) -> String| {
        let line = |(name, bytes): &(N, B)| format!("{}  {}\n", sum(bytes.as_ref()), name.as_ref());
        files.iter().map(line).collect::<String>().into_bytes()
    };
    let hex =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).iter().flat_map(hex).collect();
    let blake3 = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    [("SHA256SUMS".to_owned(), lines(&sha256)), ("B3SUMS".to_owned(), lines(&blake3))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_what_the_tools_say() {
        let [sha256, blake3] = of(&[("b", b"text")]);
        // By coreutils' sha256sum and by b3sum.
        assert_eq!(sha256.1, b"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1  b\n");
        assert_eq!(String::from_utf8(blake3.1).unwrap().len(), 64 + 4);
    }
}
