//! The system calls at which a program can be killed: those that change something on a disk, and the ends of threads.
//!
//! Invariant: between two kill points the program changes nothing that outlives it, so killing it before each call of
//! this table shows every state it can leave behind, but for those inside a call (a large write stops half-way at a
//! kill; the kills at random instants reach these).

/// One kind of kill point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syscall {
    pub(crate) name: &'static str,
    pub(crate) number: i64,
    /// The place of an argument and bits of which at least one must be set in it for the call to count.
    pub(crate) only_with: Option<(u8, &'static [u64])>,
}

const fn call(name: &'static str, number: libc::c_long) -> Syscall {
    Syscall { name, number, only_with: None }
}

const MAKES: &[u64] = &[libc::O_CREAT as u64, libc::O_TRUNC as u64];

/// All kill points. `openat2` has its flags in memory, where the filter cannot look, so it counts each time.
pub(crate) const ALL: &[Syscall] = &[
    Syscall { name: "openat", number: libc::SYS_openat, only_with: Some((2, MAKES)) },
    call("openat2", libc::SYS_openat2),
    call("write", libc::SYS_write),
    call("writev", libc::SYS_writev),
    call("pwrite64", libc::SYS_pwrite64),
    call("pwritev", libc::SYS_pwritev),
    call("pwritev2", libc::SYS_pwritev2),
    call("copy_file_range", libc::SYS_copy_file_range),
    call("sendfile", libc::SYS_sendfile),
    call("ioctl", libc::SYS_ioctl),
    call("fallocate", libc::SYS_fallocate),
    call("ftruncate", libc::SYS_ftruncate),
    call("renameat2", libc::SYS_renameat2),
    call("renameat", libc::SYS_renameat),
    call("unlinkat", libc::SYS_unlinkat),
    call("mkdirat", libc::SYS_mkdirat),
    call("mknodat", libc::SYS_mknodat),
    call("symlinkat", libc::SYS_symlinkat),
    call("linkat", libc::SYS_linkat),
    call("fsync", libc::SYS_fsync),
    call("fdatasync", libc::SYS_fdatasync),
    call("syncfs", libc::SYS_syncfs),
    call("utimensat", libc::SYS_utimensat),
    call("fchmod", libc::SYS_fchmod),
    call("fchmodat", libc::SYS_fchmodat),
    call("fchown", libc::SYS_fchown),
    call("fchownat", libc::SYS_fchownat),
    call("fsetxattr", libc::SYS_fsetxattr),
    call("lsetxattr", libc::SYS_lsetxattr),
    call("fremovexattr", libc::SYS_fremovexattr),
    call("flock", libc::SYS_flock),
    call("exit", libc::SYS_exit),
    call("exit_group", libc::SYS_exit_group),
    // Only where the architecture still has them; cp and rsync use some.
    #[cfg(target_arch = "x86_64")]
    call("rename", libc::SYS_rename),
    #[cfg(target_arch = "x86_64")]
    call("unlink", libc::SYS_unlink),
    #[cfg(target_arch = "x86_64")]
    call("rmdir", libc::SYS_rmdir),
    #[cfg(target_arch = "x86_64")]
    call("mkdir", libc::SYS_mkdir),
    #[cfg(target_arch = "x86_64")]
    call("symlink", libc::SYS_symlink),
    #[cfg(target_arch = "x86_64")]
    call("link", libc::SYS_link),
    #[cfg(target_arch = "x86_64")]
    call("chmod", libc::SYS_chmod),
];

/// The kill point called `name`.
pub(crate) fn by_name(name: &str) -> Result<Syscall, String> {
    let found = ALL.iter().copied().find(|call| call.name == name);
    found.ok_or_else(|| format!("{name} is not among the system calls of this program"))
}

/// The names of all, as the launcher takes them.
pub(crate) fn all_names() -> String {
    ALL.iter().map(|call| call.name).collect::<Vec<_>>().join(",")
}
