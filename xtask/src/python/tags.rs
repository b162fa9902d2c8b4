//! What a wheel promises by its name, and whether that is so.
//!
//! maturin builds for one interpreter or one version of the C library without a word where it finds nothing better, and
//! pip then refuses the wheel on other people's machines. Invariant: a promise that cannot be read is not kept.

/// Major and minor version of the C library.
type Glibc = (u32, u32);

/// The system that a wheel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    /// The one that this program runs on.
    pub(super) fn this() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// The interpreters and their interface: every CPython from the oldest on.
const INTERPRETERS: [&str; 2] = ["cp311", "abi3"];

/// Libraries that are part of every Linux with this C library, by
/// <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>.
const OF_THE_SYSTEM: [&str; 8] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// An error unless the wheel's name and the `WHEEL` file in it promise all that they should, and nothing else.
pub(super) fn check(name: &str, metadata: &str, version: &str, system: System) -> Result<(), String> {
    let parts: Vec<&str> = name.strip_suffix(".whl").unwrap_or_default().split('-').collect();
    let [package, of, interpreter, interface, platforms] = parts[..] else {
        return Err(format!("{name} is no name of a wheel"));
    };
    if [package, of] != ["foldercomparesync", version] || [interpreter, interface] != INTERPRETERS {
        let promise = INTERPRETERS.join("-");
        return Err(format!("{name} is not foldercomparesync-{version}-{promise}-…"));
    }
    if let Some(other) = platforms.split('.').find(|platform| !is_for(platform, system)) {
        return Err(format!("{name} is for {other}"));
    }
    let mut named: Vec<String> =
        platforms.split('.').map(|platform| format!("{}-{platform}", INTERPRETERS.join("-"))).collect();
    let mut inside: Vec<&str> = metadata.lines().filter_map(|line| line.strip_prefix("Tag: ")).collect();
    named.sort();
    inside.sort_unstable();
    if named == inside { Ok(()) } else { Err(format!("{name} has the tags {inside:?} inside")) }
}

fn is_for(platform: &str, system: System) -> bool {
    let arch = std::env::consts::ARCH;
    match system {
        System::Linux => platform.starts_with("manylinux") && platform.ends_with(&format!("_{arch}")),
        System::MacOs => platform.starts_with("macosx_"),
        // Built on x86-64 alone.
        System::Windows => platform == "win_amd64",
    }
}

/// The oldest C library that a name promises; none if it promises none.
pub(super) fn glibc_promised(name: &str) -> Option<Glibc> {
    let platforms = name.strip_suffix(".whl")?.rsplit('-').next()?;
    let promised = platforms.split('.').filter_map(|platform| match platform.strip_prefix("manylinux")? {
        "2014_x86_64" | "2014_aarch64" => Some((2, 17)),
        rest => {
            let mut numbers = rest.strip_prefix('_')?.split('_').map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        }
    });
    promised.min()
}

/// The newest C library whose symbols a program needs, by the words of `objdump -T`.
pub(super) fn glibc_needed(symbols: &str) -> Option<Glibc> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let mut numbers = rest[..end].split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max()
}

/// The libraries that a program needs and not every Linux has, by the words of `objdump -p`.
pub(super) fn foreign_libraries(headers: &str) -> Vec<&str> {
    let needed = headers.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")).map(str::trim);
    needed.filter(|library| !OF_THE_SYSTEM.contains(library)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "foldercomparesync-0.1.0-cp311-abi3-manylinux_2_34_x86_64.whl";
    const INSIDE: &str = "Wheel-Version: 1.0\nTag: cp311-abi3-manylinux_2_34_x86_64\n";

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_wheel_is_for_every_interpreter_from_the_oldest_on() {
        assert_eq!(check(LINUX, INSIDE, "0.1.0", System::Linux), Ok(()));
        let two = "foldercomparesync-0.1.0-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        let inside = "Tag: cp311-abi3-manylinux2014_x86_64\nTag: cp311-abi3-manylinux_2_17_x86_64\n";
        assert_eq!(check(two, inside, "0.1.0", System::Linux), Ok(()));
        let windows = "foldercomparesync-0.1.0-cp311-abi3-win_amd64.whl";
        assert_eq!(check(windows, "Tag: cp311-abi3-win_amd64\n", "0.1.0", System::Windows), Ok(()));

        for other in [
            "foldercomparesync-0.1.0-cp311-cp311-manylinux_2_34_x86_64.whl",
            "foldercomparesync-0.1.0-cp313-abi3-manylinux_2_34_x86_64.whl",
            "foldercomparesync-0.1.0-cp311-abi3-linux_x86_64.whl",
            "foldercomparesync-0.1.0-cp311-abi3-manylinux_2_34_aarch64.whl",
            "foldercomparesync-0.1.0-cp311-abi3-manylinux_2_34_x86_64.linux_x86_64.whl",
            "foldercomparesync-0.2.0-cp311-abi3-manylinux_2_34_x86_64.whl",
            "foldercomparesync-0.1.0-1-cp311-abi3-manylinux_2_34_x86_64.whl",
            "foldercomparesync-0.1.0-cp311-abi3-win_amd64.whl",
            "foldercomparesync-0.1.0.tar.gz",
        ] {
            assert!(check(other, INSIDE, "0.1.0", System::Linux).is_err(), "{other}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_tags_inside_are_those_of_the_name() {
        for inside in
            ["", "Tag: cp311-cp311-manylinux_2_34_x86_64\n", "Tag: cp311-abi3-manylinux_2_17_x86_64\n"]
        {
            assert!(check(LINUX, inside, "0.1.0", System::Linux).is_err(), "{inside:?}");
        }
    }

    #[test]
    fn the_c_library_that_is_promised_is_compared_by_number() {
        assert_eq!(glibc_promised(LINUX), Some((2, 34)));
        assert_eq!(
            glibc_promised("a-1-cp311-abi3-manylinux_2_28_x86_64.manylinux2014_x86_64.whl"),
            Some((2, 17))
        );
        assert_eq!(glibc_promised("a-1-cp311-abi3-linux_x86_64.whl"), None);
        let symbols = "\
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.2.5) free
0000000000000000  w   DF *UND*\t0000000000000000 (GLIBC_2.34) __pthread_key_create
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.9) splice
";
        assert_eq!(glibc_needed(symbols), Some((2, 34)));
        assert_eq!(glibc_needed("0000 g DF .text 0000 Base PyInit__engine"), None);
    }

    #[test]
    fn a_library_that_not_every_linux_has_is_seen() {
        let headers = "Dynamic Section:\n  NEEDED               libpython3.11.so.1.0\n  NEEDED               libc.so.6\n  SONAME  x\n";
        assert_eq!(foreign_libraries(headers), ["libpython3.11.so.1.0"]);
    }
}
