//! [`DeviceReads`] by `io_uring` and `/proc/thread-self/io`.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::{IoUring, opcode, types};
use rustix::fs::{Mode, OFlags};

use super::file::UnixFile;
use super::retry;
use crate::File;
use crate::buffer::{ALIGNMENT, AlignedBuffer};
use crate::device_reads::DeviceRead;

/// A means to read many small files past the cache. It belongs to the thread that made it, whose bytes it counts.
pub struct DeviceReads {
    ring: IoUring,
    /// What the system counts of this thread.
    counts: OwnedFd,
    buffer: AlignedBuffer,
    _of_one_thread: PhantomData<*const ()>,
}

impl std::fmt::Debug for DeviceReads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceReads").finish_non_exhaustive()
    }
}

impl DeviceReads {
    /// Most files read at once.
    pub const MOST_FILES: usize = 64;
    /// Most bytes read at once, each file rounded up to whole blocks.
    pub const MOST_BYTES: u64 = 4 << 20;

    /// Fails where the kernel or a sandbox does not allow it, or does not count.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::new(Self::MOST_FILES as u32)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let counts = retry(|| rustix::fs::open("/proc/thread-self/io", flags, Mode::empty()))?;
        // Zeroed pages that are never touched take no memory.
        let buffer = AlignedBuffer::new(Self::MOST_BYTES as usize);
        let this = Self { ring, counts, buffer, _of_one_thread: PhantomData };
        this.bytes_from_devices().map(|_| this)
    }

    /// Whether it reads files of this backend.
    pub fn takes(file: &dyn File) -> bool {
        file.as_any().is::<UnixFile>()
    }

    /// Whether the file system says of this file that reads past the cache go past it. It is a property of the volume and
    /// its options, and on some of single files too, whose reads then are not counted.
    pub fn go_past_cache(file: &dyn File) -> bool {
        use rustix::fs::{AtFlags, StatxFlags};
        let asked = StatxFlags::DIOALIGN;
        file.as_any().downcast_ref::<UnixFile>().is_some_and(|file| {
            rustix::fs::statx(&file.fd, c"", AtFlags::EMPTY_PATH, asked)
                .is_ok_and(|said| said.stx_mask & asked.bits() != 0 && said.stx_dio_offset_align > 0)
        })
    }

    /// Reads whole files of these sizes. `None` where it cannot be done with these: too many, an empty one, one of another
    /// backend, one that the file system does not read past its cache, one that cannot be read or has another size.
    /// After an error nothing more can be read by this means.
    pub fn read(&mut self, files: &[(&dyn File, u64)]) -> io::Result<Option<DeviceRead<'_>>> {
        let all: Option<Vec<&UnixFile>> =
            files.iter().map(|(file, _)| file.as_any().downcast_ref::<UnixFile>()).collect();
        let Some(all) = all.filter(|all| !all.is_empty() && all.len() <= Self::MOST_FILES) else {
            return Ok(None);
        };
        let block = rustix::fs::fstatfs(&all[0].fd).map_or(0, |facts| facts.f_bsize as usize);
        if !block.is_power_of_two() {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(files.len());
        let (mut end, mut expected) = (0_usize, 0_u64);
        for &(_, size) in files {
            if size == 0 || size > Self::MOST_BYTES {
                return Ok(None);
            }
            let room = (size as usize).next_multiple_of(block.max(ALIGNMENT));
            expected += size.next_multiple_of(block as u64);
            parts.push((end, room));
            end += room;
        }
        if end > self.buffer.len() {
            return Ok(None);
        }
        let read = match all.iter().try_for_each(|file| file.pass_cache()) {
            Ok(()) => self.read_parts(&all, &parts).map(Some),
            // What the file system does not do at all.
            Err(_) => Ok(None),
        };
        let read = read.map(|read| read.filter(|(results, _)| are_whole(results, files)));
        if !matches!(read, Ok(Some(_))) {
            // They are read in another way, which needs the cache.
            all.iter().try_for_each(|file| file.use_cache())?;
        }
        let Some((_, bytes)) = read? else { return Ok(None) };
        let content = |(&(at, _), &(_, size)): (&(usize, usize), &(&dyn File, u64))| {
            &self.buffer[at..at + size as usize]
        };
        let counted = bytes == expected;
        if !counted {
            all.iter().try_for_each(|file| file.use_cache())?;
        }
        Ok(Some(DeviceRead { contents: parts.iter().zip(files).map(content).collect(), counted }))
    }

    /// What each read returned, and the bytes that this thread took from devices meanwhile.
    fn read_parts(&mut self, files: &[&UnixFile], parts: &[(usize, usize)]) -> io::Result<(Vec<i32>, u64)> {
        let before = self.bytes_from_devices()?;
        let base = self.buffer.as_mut_ptr();
        for (number, (file, &(at, room))) in (0_u64..).zip(files.iter().zip(parts)) {
            // Within the buffer, as the caller has added up the parts.
            let target = base.wrapping_add(at);
            let read = opcode::Read::new(types::Fd(file.fd.as_raw_fd()), target, room as u32);
            let entry = read.offset(0).build().user_data(number);
            // SAFETY: the descriptor stays open and this part of the buffer, which no other read has, stays where it is
            // until the read is done: `wait` returns only then, or gives the buffer up.
            #[allow(unsafe_code)]
            let pushed = unsafe { self.ring.submission().push(&entry) };
            pushed.map_err(io::Error::other)?;
        }
        let results = self.wait(files.len())?;
        Ok((results, self.bytes_from_devices()?.wrapping_sub(before)))
    }

    /// Waits for so many reads.
    fn wait(&mut self, count: usize) -> io::Result<Vec<i32>> {
        let mut results = vec![-1; count];
        let (mut open, mut patience) = (count, 10_000_u32);
        while open > 0 {
            match self.ring.submit_and_wait(open) {
                Ok(_) => {}
                Err(e) if matches!(e.raw_os_error(), Some(libc::EINTR)) => {}
                // The kernel has no memory for it just now.
                Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) && patience > 0 => {
                    patience -= 1;
                    std::thread::yield_now();
                }
                Err(e) => {
                    // The kernel may write into it still.
                    std::mem::forget(std::mem::replace(&mut self.buffer, AlignedBuffer::new(0)));
                    return Err(e);
                }
            }
            for done in self.ring.completion() {
                if let Some(result) = results.get_mut(done.user_data() as usize) {
                    *result = done.result();
                }
                open -= 1;
            }
        }
        Ok(results)
    }

    /// `read_bytes` of proc(5): what this thread has caused to be fetched from devices. Work that the kernel hands to
    /// another thread is not in it. What this thread fetches beside the files (their place on the device, a page of this
    /// program) is, so a sum that is right by chance would need as much of that as a file gave too little; whoever counts
    /// leaves out files that may give less.
    fn bytes_from_devices(&self) -> io::Result<u64> {
        let mut text = [0; 512];
        let n = retry(|| rustix::io::pread(&self.counts, &mut text[..], 0))?;
        let said = std::str::from_utf8(&text[..n]).unwrap_or_default();
        let number = said.lines().find_map(|line| line.strip_prefix("read_bytes:")?.trim().parse().ok());
        number.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn are_whole(results: &[i32], files: &[(&dyn File, u64)]) -> bool {
    results.iter().zip(files).all(|(&result, &(_, size))| u64::try_from(result) == Ok(size))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn files(count: usize, bytes: usize) -> Vec<(UnixFile, Vec<u8>)> {
        let file = |n: usize| {
            // The build folder is on a disk wherever the project is built on one.
            let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
            let content: Vec<u8> = (0..bytes + n).map(|at| (at * 7 + n) as u8).collect();
            file.write_all(&content).unwrap();
            file.sync_all().unwrap();
            (UnixFile::new(file.into(), false), content)
        };
        (0..count).map(file).collect()
    }

    fn list(files: &[(UnixFile, Vec<u8>)]) -> Vec<(&dyn File, u64)> {
        files.iter().map(|(file, content)| (file as &dyn File, content.len() as u64)).collect()
    }

    #[test]
    fn files_are_read_whole_and_the_bytes_from_the_device_are_counted() {
        // A sandbox may forbid it.
        let Ok(mut reads) = DeviceReads::new() else { return };
        let made = files(50, 9000);
        let Some(read) = reads.read(&list(&made)).unwrap() else { return };
        for (got, (_, content)) in read.contents.iter().zip(&made) {
            assert_eq!(got, content);
        }
        assert!(read.counted, "all were synced, and nothing else was read");
        // They can still be read at any offset.
        let mut bytes = [0; 3];
        assert_eq!(made[0].0.read_at(&mut bytes, 1).unwrap(), 3);
        assert_eq!(bytes, made[0].1[1..4]);
    }

    #[test]
    fn files_of_another_size_empty_ones_and_too_many_are_left_to_others() {
        let Ok(mut reads) = DeviceReads::new() else { return };
        let made = files(1, 9000);
        for wrong in [0, 8999, 9001, 20_000, u64::MAX] {
            assert!(reads.read(&[(&made[0].0, wrong)]).unwrap().is_none(), "{wrong}");
        }
        let many: Vec<(&dyn File, u64)> = vec![(&made[0].0, 9000); DeviceReads::MOST_FILES + 1];
        assert!(reads.read(&many).unwrap().is_none());
        assert!(reads.read(&[]).unwrap().is_none());
    }

    #[test]
    fn what_comes_from_memory_is_not_counted() {
        let Ok(mut reads) = DeviceReads::new() else { return };
        let Ok(mut file) = tempfile::tempfile_in("/dev/shm") else { return };
        file.write_all(&[7; 5000]).unwrap();
        let file = UnixFile::new(file.into(), false);
        let read = reads.read(&[(&file, 5000)]).unwrap();
        assert!(read.is_none_or(|read| !read.counted));
    }
}
