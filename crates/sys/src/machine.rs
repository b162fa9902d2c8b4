//! Which machine and which process this is, so that another one can tell whether the holder of a lock still runs; and
//! what the machine's own lists say.
//!
//! A process number alone says little: numbers are used again, every machine has its own, and so has every container.

use std::path::PathBuf;
use std::sync::OnceLock;

/// A process, distinguished from every other one on any machine, as far as the system lets one tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The host's name.
    pub host: String,
    /// The system's number of this start of the machine; empty where there is none.
    pub boot: String,
    /// The space in which process numbers count, such as a container's; empty where there is none.
    pub space: String,
    /// The process's number.
    pub process: u32,
    /// When the process began, in the system's own count; 0 where that cannot be had.
    pub began: u64,
}

impl Machine {
    /// This process. One that was forked off is another than the one that it was forked from.
    pub fn this() -> Self {
        static FIRST: OnceLock<Machine> = OnceLock::new();
        let now = || {
            let process = std::process::id();
            Self {
                host: crate::host_name(),
                boot: boot(),
                space: space(),
                process,
                began: began(process).unwrap_or(0),
            }
        };
        let first = FIRST.get_or_init(now);
        if first.process == std::process::id() { first.clone() } else { now() }
    }

    /// Whether both are on the same start of the same machine, so that the one can ask for the other.
    pub fn shares_system(&self, other: &Self) -> bool {
        (&self.host, &self.boot, &self.space) == (&other.host, &other.boot, &other.space)
            && (!self.boot.is_empty() || cfg!(not(target_os = "linux")))
    }

    /// Whether this process, which shares the system with the one that asks, still runs; `None` where the system does not
    /// tell.
    pub fn runs(&self) -> Option<bool> {
        #[cfg(target_os = "linux")]
        {
            match began(self.process) {
                Ok(now) => Some(self.began == 0 || now == self.began),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some(false),
                Err(_) => None,
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            None
        }
    }
}

#[cfg(target_os = "linux")]
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(target_os = "linux")]
fn space() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

/// Field 22 of `/proc/PID/stat`; the name in field 2 may hold anything, so it is counted from behind its bracket. A process
/// that has ended and that nobody has waited for (state Z) is not there, unless threads of it are (field 20).
#[cfg(target_os = "linux")]
fn began(process: u32) -> std::io::Result<u64> {
    let stat = std::fs::read(format!("/proc/{process}/stat"))?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let threads = fields.get(17).and_then(|threads| threads.parse::<u64>().ok());
    if matches!(fields.first(), Some(&("Z" | "X"))) && threads.is_some_and(|threads| threads <= 1) {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    let began = fields.get(19).and_then(|began| began.parse().ok());
    began.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

#[cfg(not(target_os = "linux"))]
fn boot() -> String {
    String::new()
}

#[cfg(not(target_os = "linux"))]
fn space() -> String {
    String::new()
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)] // As where it can fail.
fn began(_: u32) -> std::io::Result<u64> {
    Ok(0)
}

/// The name of a user, from the system's own list; `None` where there is none, or no such list.
pub fn user_name(user: u32) -> Option<String> {
    if cfg!(not(unix)) {
        return None;
    }
    let list = std::fs::read("/etc/passwd").ok()?;
    let list = String::from_utf8_lossy(&list);
    let mut lines = list.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == user.to_string()).then(|| name.to_owned())
    })
}

/// Where the system is told to mount volumes, whether one is there now or not (`/etc/fstab`); empty where there is no such
/// list. The root of all is not among them.
pub fn expected_mounts() -> Vec<PathBuf> {
    if cfg!(not(unix)) {
        return Vec::new();
    }
    mount_points(&std::fs::read_to_string("/etc/fstab").unwrap_or_default())
}

/// Source: fstab(5). The second field, with blanks written as `\040` and the like; comments begin with `#`.
fn mount_points(table: &str) -> Vec<PathBuf> {
    let lines = table.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let fields = lines.filter_map(|line| line.split_ascii_whitespace().nth(1));
    fields.filter_map(unescaped).map(PathBuf::from).filter(|path| path.parent().is_some()).collect()
}

/// A field without its escapes; `None` if it is no absolute path, as with swap space.
fn unescaped(field: &str) -> Option<String> {
    let mut rest = field.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let octal =
            after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_volumes_names_where_they_are_to_be_mounted() {
        let table = "# device  point  type\n\
                     /dev/sda1 / ext4 defaults 0 1\n\
                     UUID=1-2\t/mnt/my\\040disk  exfat noauto\n  \n\
                     \t# /dev/x /no\n/dev/sda2 none swap sw 0 0\nonly\n\
                     server:/x /srv/a\\134b nfs\n/dev/y /odd\\9 ext4\n";
        let found: Vec<_> = mount_points(table).into_iter().map(|path| path.display().to_string()).collect();
        assert_eq!(found, ["/mnt/my disk", "/srv/a\\b", "/odd\\9"]);
    }

    #[test]
    fn this_process_runs_and_one_that_has_ended_does_not() {
        let this = Machine::this();
        assert!(this.shares_system(&this) && this.process == std::process::id());
        if cfg!(target_os = "linux") {
            assert_eq!(this.runs(), Some(true));
            assert!(!this.boot.is_empty() && this.began > 0);
            let other = Machine { began: this.began + 1, ..this.clone() };
            assert_eq!(other.runs(), Some(false), "the number is used by another one");
            let none = Machine { process: u32::MAX, ..this.clone() };
            assert_eq!(none.runs(), Some(false));
            let mut ended =
                std::process::Command::new("true").stdin(std::process::Stdio::piped()).spawn().unwrap();
            let child = Machine { process: ended.id(), began: 0, ..this.clone() };
            while child.runs() != Some(false) {
                std::thread::yield_now();
            }
            ended.wait().unwrap();
            let restarted = Machine { boot: "another".into(), ..this.clone() };
            assert!(!restarted.shares_system(&this));
            assert_eq!(user_name(0).as_deref(), Some("root"));
        }
    }
}
