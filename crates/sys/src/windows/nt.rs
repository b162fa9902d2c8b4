//! The few calls on which the backend stands, made safe: opening relative to an open folder, asking and setting
//! information by handle.
//!
//! Why the native calls: only they take an open folder and one name. Win32 takes paths, which another program can
//! redirect half-way and which are normalised first (`CON`, a trailing dot, 260 characters); the native calls hand
//! the name to the file system as it is. They are documented for user mode
//! (<https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-ntcreatefile>).
//!
//! Invariant: everything `unsafe` about handles, buffers and lengths is argued here, so that the modules above hold
//! only rules. This module must not know what a folder or file is used for.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

/// Every other handle may read, write, rename and delete.
pub const SHARE_ALL: u32 = fs::FILE_SHARE_READ | fs::FILE_SHARE_WRITE | fs::FILE_SHARE_DELETE;

/// What a native call answered when it did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub(super) f::NTSTATUS);

impl Status {
    /// The file system, or this version of Windows, does not know the request. Which of these is answered differs
    /// from file system to file system; none of them is the answer to a known request that was refused.
    pub(super) fn is_unsupported(self) -> bool {
        matches!(
            self.0,
            f::STATUS_INVALID_PARAMETER
                | f::STATUS_INVALID_INFO_CLASS
                | f::STATUS_NOT_SUPPORTED
                | f::STATUS_NOT_IMPLEMENTED
                | f::STATUS_INVALID_DEVICE_REQUEST
        )
    }
}

impl From<Status> for io::Error {
    fn from(status: Status) -> Self {
        let code = match status.0 {
            // The general table makes "access denied" of these two, which would send the user to the wrong place.
            f::STATUS_DELETE_PENDING => f::ERROR_DELETE_PENDING,
            f::STATUS_FILE_IS_A_DIRECTORY => f::ERROR_DIRECTORY_NOT_SUPPORTED,
            // SAFETY: the function only looks a number up in a table.
            #[allow(unsafe_code)]
            other => unsafe { f::RtlNtStatusToDosError(other) },
        };
        Self::from_raw_os_error(code as i32)
    }
}

fn check(status: f::NTSTATUS) -> Result<(), Status> {
    // Warnings (0x8…) mean that not everything fitted; no call here can do with half an answer.
    if status >= 0 { Ok(()) } else { Err(Status(status)) }
}

/// How something is opened.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    pub(super) access: u32,
    pub(super) share: u32,
    /// `FILE_OPEN` or `FILE_CREATE`.
    pub(super) disposition: u32,
    pub(super) options: u32,
    /// Attributes of what is made.
    pub(super) attributes: u32,
}

impl Open {
    /// Opens what is there, whatever it is, sharing everything and following nothing.
    pub fn existing(access: u32) -> Self {
        Self {
            access: access | fs::SYNCHRONIZE,
            share: SHARE_ALL,
            disposition: nt::FILE_OPEN,
            options: nt::FILE_OPEN_REPARSE_POINT | nt::FILE_SYNCHRONOUS_IO_NONALERT,
            attributes: 0,
        }
    }

    /// Makes something, failing if the name is taken, also by a link that leads nowhere.
    pub fn new(access: u32, attributes: u32) -> Self {
        Self { disposition: nt::FILE_CREATE, attributes, ..Self::existing(access) }
    }

    /// With more options.
    #[must_use]
    pub fn with(self, options: u32) -> Self {
        Self { options: self.options | options, ..self }
    }

    /// Without some options.
    #[must_use]
    pub fn without(self, options: u32) -> Self {
        Self { options: self.options & !options, ..self }
    }

    /// With another share mode.
    #[must_use]
    pub fn share(self, share: u32) -> Self {
        Self { share, ..self }
    }
}

/// Opens or makes one name in an open folder. The empty name is the folder (or file) `root` itself, opened anew.
pub fn open_at(root: BorrowedHandle<'_>, name: &[u16], how: Open) -> Result<OwnedHandle, Status> {
    let Ok(bytes) = u16::try_from(name.len() * 2) else { return Err(Status(f::STATUS_NAME_TOO_LONG)) };
    let name = f::UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_ptr().cast_mut() };
    let attributes = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        RootDirectory: root.as_raw_handle(),
        ObjectName: &raw const name,
        // As every Win32 program opens; a folder that is marked case-sensitive is so nevertheless
        // (<https://learn.microsoft.com/windows/wsl/case-sensitivity>).
        Attributes: f::OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: std::ptr::null(),
        SecurityQualityOfService: std::ptr::null(),
    };
    let mut block = IO_STATUS_BLOCK::default();
    let mut handle: f::HANDLE = std::ptr::null_mut();
    // SAFETY: all structures live until the call returns; the name's buffer is read only and as long as is said. On
    // success the system hands over a handle that nothing else owns.
    #[allow(unsafe_code)]
    unsafe {
        check(nt::NtCreateFile(
            &raw mut handle,
            how.access,
            &raw const attributes,
            &raw mut block,
            std::ptr::null(),
            how.attributes,
            how.share,
            how.disposition,
            how.options,
            std::ptr::null(),
            0,
        ))?;
        Ok(OwnedHandle::from_raw_handle(handle))
    }
}

/// Ties a structure to the number by which it is asked for.
///
/// # Safety
///
/// The structure must be plain data of the layout that `GetFileInformationByHandleEx` fills in for `CLASS`, valid
/// for every bit pattern.
#[allow(unsafe_code)]
pub unsafe trait Info: Default {
    /// The number.
    const CLASS: fs::FILE_INFO_BY_HANDLE_CLASS;
}

/// `FILE_STANDARD_INFO` with bytes for its truth values, so that no bit pattern is wrong.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardInfo {
    pub(super) allocated: i64,
    pub(super) size: i64,
    /// Names of the item.
    pub links: u32,
    delete_pending: u8,
    directory: u8,
}

macro_rules! info {
    ($($type:ty = $class:ident),* $(,)?) => {$(
        // SAFETY: the pair is the one documented for `FILE_INFO_BY_HANDLE_CLASS`, and all fields are numbers.
        #[allow(unsafe_code)]
        unsafe impl Info for $type {
            const CLASS: fs::FILE_INFO_BY_HANDLE_CLASS = fs::$class;
        }
    )*};
}
info! {
    fs::FILE_BASIC_INFO = FileBasicInfo,
    StandardInfo = FileStandardInfo,
    fs::FILE_ID_INFO = FileIdInfo,
    fs::FILE_ATTRIBUTE_TAG_INFO = FileAttributeTagInfo,
    fs::FILE_STORAGE_INFO = FileStorageInfo,
    fs::FILE_CASE_SENSITIVE_INFO = FileCaseSensitiveInfo,
    fs::FILE_REMOTE_PROTOCOL_INFO = FileRemoteProtocolInfo,
}

/// Turns the answer of a Win32 call (zero is failure) into a result.
pub(super) fn succeed(answer: windows_sys::core::BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// As [`Status::is_unsupported`], of an answer that came through Win32.
pub(super) fn is_unknown(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error().map(|code| code as u32),
        Some(
            f::ERROR_INVALID_PARAMETER
                | f::ERROR_INVALID_FUNCTION
                | f::ERROR_NOT_SUPPORTED
                | f::ERROR_CALL_NOT_IMPLEMENTED
                | f::ERROR_INVALID_LEVEL
        )
    )
}

/// Asks for information about an open file or folder.
pub fn query<T: Info>(handle: BorrowedHandle<'_>) -> io::Result<T> {
    let mut info = T::default();
    // SAFETY: `Info` promises that the structure is what the class fills in; its own size is given as the limit.
    #[allow(unsafe_code)]
    succeed(unsafe {
        fs::GetFileInformationByHandleEx(
            handle.as_raw_handle(),
            T::CLASS,
            (&raw mut info).cast(),
            size_of::<T>() as u32,
        )
    })?;
    Ok(info)
}

/// Sets times and attributes; zero leaves a value as it is.
pub fn set_basic(handle: BorrowedHandle<'_>, info: &fs::FILE_BASIC_INFO) -> io::Result<()> {
    // SAFETY: the structure is the one of the class and lives until the call returns.
    #[allow(unsafe_code)]
    succeed(unsafe {
        fs::SetFileInformationByHandle(
            handle.as_raw_handle(),
            fs::FileBasicInfo,
            std::ptr::from_ref(info).cast(),
            size_of::<fs::FILE_BASIC_INFO>() as u32,
        )
    })
}

/// Sets information of a native class from bytes laid out as the class wants them. `bytes` must begin at an address
/// that is a multiple of 8, which a slice of `u64` does.
pub(super) fn set_native(
    handle: BorrowedHandle<'_>,
    class: i32,
    words: &[u64],
    bytes: usize,
) -> Result<(), Status> {
    let bytes = bytes.min(size_of_val(words)) as u32;
    let mut block = IO_STATUS_BLOCK::default();
    // SAFETY: the buffer is readable for the given length, which was cut to what it holds; the system checks the
    // lengths inside it against that.
    #[allow(unsafe_code)]
    check(unsafe {
        nt::NtSetInformationFile(handle.as_raw_handle(), &raw mut block, words.as_ptr().cast(), bytes, class)
    })
}

/// Asks a volume through any handle on it. `T` is named by the caller's choice of `class`.
pub fn query_volume(handle: BorrowedHandle<'_>, class: i32, answer: &mut [u64]) -> Result<(), Status> {
    let mut block = IO_STATUS_BLOCK::default();
    // SAFETY: the buffer is writable for its whole length, which is the limit that is given.
    #[allow(unsafe_code)]
    check(unsafe {
        nt::NtQueryVolumeInformationFile(
            handle.as_raw_handle(),
            &raw mut block,
            answer.as_mut_ptr().cast(),
            size_of_val(answer) as u32,
            class,
        )
    })
}

/// Sends a control code to the file system. Returns the bytes of the answer.
pub fn control(handle: BorrowedHandle<'_>, code: u32, input: &[u8], output: &mut [u64]) -> io::Result<usize> {
    let mut returned = 0;
    // SAFETY: both buffers are valid for the lengths given; the handle is synchronous, so the call ends before they
    // go.
    #[allow(unsafe_code)]
    succeed(unsafe {
        windows_sys::Win32::System::IO::DeviceIoControl(
            handle.as_raw_handle(),
            code,
            input.as_ptr().cast(),
            input.len() as u32,
            output.as_mut_ptr().cast(),
            size_of_val(output) as u32,
            &raw mut returned,
            std::ptr::null_mut(),
        )
    })?;
    Ok(returned as usize)
}

/// Fills a buffer with the next entries of a folder; `false` at the end.
pub(super) fn list_into(handle: BorrowedHandle<'_>, class: i32, buffer: &mut [u64]) -> io::Result<bool> {
    // SAFETY: the buffer is writable for its whole length and aligned to 8, as the entries want it.
    #[allow(unsafe_code)]
    let answer = succeed(unsafe {
        fs::GetFileInformationByHandleEx(
            handle.as_raw_handle(),
            class,
            buffer.as_mut_ptr().cast(),
            size_of_val(buffer) as u32,
        )
    });
    match answer {
        Ok(()) => Ok(true),
        // A root folder that holds nothing has not even `.`, and then the first question is answered "not found".
        Err(e)
            if matches!(
                e.raw_os_error().map(|e| e as u32),
                Some(f::ERROR_NO_MORE_FILES | f::ERROR_FILE_NOT_FOUND)
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Whether this is Wine, which takes several requests it does not carry out. Asked where believing it would round
/// evidence up; Wine's own way to be told is this export of ntdll.
pub(crate) fn is_wine() -> bool {
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
    static ANSWER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    // SAFETY: both strings end in NUL; ntdll is part of every process and is never unloaded.
    #[allow(unsafe_code)]
    *ANSWER.get_or_init(|| unsafe {
        let ntdll = GetModuleHandleW(windows_sys::w!("ntdll.dll"));
        !ntdll.is_null() && GetProcAddress(ntdll, windows_sys::s!("wine_get_version")).is_some()
    })
}
