//! What becomes of a date on a volume that cannot hold it: the fraction is cut off, or a date out of range becomes
//! another one.
//!
//! Invariant: a date counts as another one's image only by an exact match: the very step, the very limit or the very
//! remainder. So an edit that was given a date of its own is never taken for a copy, except within one step; sizes are
//! compared besides.
//!
//! This module must not know which volumes do this: file systems of one name differ (ext4 with small inodes keeps whole
//! seconds up to 2038, with large ones nanoseconds up to 2446), and a server does what its own disk does.

use fcs_sys::{Place, Time, VolumeFacts};

/// Steps in which volumes keep dates, coarsest first, in nanoseconds: FAT; ext2, ext4 with inodes of 128 bytes, SFTP,
/// exfat-fuse; exFAT; servers written in languages that count milliseconds or microseconds; NTFS.
const STEPS: [u64; 6] = [2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000, 1_000, 100];

/// Dates needed before it is believed that odd seconds cannot be kept: each has an even one by chance half the time.
const SHOWN_EVEN: u64 = 20;

const DAY: i64 = 86_400;

/// 1980-01-01, before which FAT and exFAT have no dates.
const FAT_FIRST: i64 = 315_532_800;

/// Days in the 128 years that the seven bits of FAT's year can count. `exfat-fuse` has a leap day every four years.
const FAT_DAYS: i64 = 128 * 1461 / 4;

/// The first and last seconds of 32 bits with a sign: ext2 and ext3, ext4 with small inodes, XFS before bigtime (1901 to
/// 2038).
const SIGNED: [i64; 2] = [i32::MIN as i64, i32::MAX as i64];
/// Those of 32 bits without: SFTP 3, NFS 3 (1970 to 2106).
const UNSIGNED: [i64; 2] = [0, u32::MAX as i64];
/// Those of FAT and exFAT, the last one with and without the odd second.
const FAT: [i64; 3] = [FAT_FIRST, 4_354_819_198, 4_354_819_199];
/// The last ones of ext4 with large inodes (2446) and of XFS with bigtime (2486).
const FAR: [i64; 2] = [0x3_7fff_ffff, 16_299_260_425];

/// Which limits a volume may have. 1970-01-01 and 1980-01-01 are limits of some and the commonest made-up dates on all
/// (reproducible builds, archives), so a limit is looked for only where there can be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    signed: bool,
    unsigned: bool,
    fat: bool,
    far: bool,
}

impl Limits {
    /// Any: for who has given the date and reads it back, and for what a server or a program provides.
    pub(crate) const ANY: Self = Self { signed: true, unsigned: true, fat: true, far: true };
    /// None: nothing is known, or there are none.
    pub(crate) const NONE: Self = Self { signed: false, unsigned: false, fat: false, far: false };

    /// Those of a volume. `fractions`: its dates have some, so its inodes are large where that makes the difference.
    pub(crate) fn of(volume: &VolumeFacts, fractions: bool) -> Self {
        let name = volume.file_system.to_ascii_lowercase();
        if volume.place == Place::Network || name.starts_with("fuse") {
            return Self::ANY;
        }
        match name.as_str() {
            "ext2" | "ext3" | "ext4" | "overlay" => Self { signed: !fractions, far: true, ..Self::NONE },
            "xfs" => Self { signed: true, far: true, ..Self::NONE },
            "fat" | "fat32" | "vfat" | "msdos" | "exfat" => Self { fat: true, ..Self::NONE },
            _ => Self::NONE,
        }
    }

    fn contain(self, second: i64) -> bool {
        // The first date of ext4 and XFS is the same however far the last one is.
        let first = (self.signed || self.far) && second == SIGNED[0];
        first
            || self.signed && SIGNED.contains(&second)
            || self.unsigned && UNSIGNED.contains(&second)
            || self.fat && FAT.contains(&second)
            || self.far && FAR.contains(&second)
    }
}

/// How a volume changed a date that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Cut to a multiple of this many nanoseconds.
    Cut(u64),
    /// Out of its range, and therefore another one.
    OutOfRange,
}

/// How `shown` came from `given`, if it is what some volume makes of it.
pub(crate) fn image(given: Time, shown: Time) -> Option<Changed> {
    let cut = STEPS.into_iter().rev().find(|&step| is_cut(given, shown, step));
    cut.map(Changed::Cut)
        .or_else(|| is_out_of_range(given, shown, Limits::ANY).then_some(Changed::OutOfRange))
}

/// Whether `shown` is `given`, cut to a multiple of `step`.
pub(crate) fn is_cut(given: Time, shown: Time, step: u64) -> bool {
    given != shown && given.rounded_down(step) == shown
}

/// Whether `shown` is what a volume makes of the date `given` that it cannot hold: its first or last one, or what
/// remains in fewer bits. `limits` are those of the volume that shows it.
pub(crate) fn is_out_of_range(given: Time, shown: Time, limits: Limits) -> bool {
    if limits == Limits::NONE {
        return false;
    }
    // ntfs-3g divides towards zero, so that it shows the second after a fraction before 1970.
    if limits == Limits::ANY
        && given.seconds() < 0
        && given.nanos() > 0
        && shown == Time::new(given.seconds() + 1, 0)
    {
        return true;
    }
    let (given, shown) = (given.seconds(), shown.seconds());
    let beyond =
        |limit: i64| (given < limit && limit <= FAT_FIRST) || (given > limit && limit >= i64::from(i32::MAX));
    if limits.contain(shown) && beyond(shown) {
        return true;
    }
    // FAT's limits are those of the local time.
    let from_first = shown - FAT_FIRST;
    if limits.fat && given < shown && from_first.abs() <= 14 * 3600 && from_first % 900 == 0 {
        return true;
    }
    let whole = 1_i64 << 32;
    let in_32_bits = (i64::from(i32::MIN)..whole).contains(&shown) && given != shown;
    let was_out = !(0..whole).contains(&given);
    let of_fat = || {
        let (given, shown) = (given - FAT_FIRST, shown - FAT_FIRST);
        let all = FAT_DAYS * DAY;
        given >= all && (0..all).contains(&shown) && given % all == shown
    };
    let of_bits = || in_32_bits && was_out && (given - shown) % whole == 0;
    (limits.signed || limits.unsigned) && of_bits() || limits.fat && of_fat()
}

/// What the dates of one volume show of the steps in which it keeps them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// Index into [`STEPS`]; its length where dates of every kind were seen.
    at: usize,
    seen: u64,
}

impl Steps {
    pub(crate) const NONE_SEEN: Self = Self { at: 0, seen: 0 };

    /// Takes a date into account that the system set (a change time) or a program.
    pub(crate) fn see(&mut self, date: Time) {
        self.seen += 1;
        while STEPS.get(self.at).is_some_and(|&step| date.rounded_down(step) != date) {
            self.at += 1;
        }
    }

    /// The step in nanoseconds, where the dates show one.
    pub(crate) fn step(&self) -> Option<u64> {
        let doubtful = self.at == 0 && self.seen < SHOWN_EVEN;
        STEPS.get(self.at + usize::from(doubtful)).copied().filter(|_| self.seen > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::new(seconds, 0)
    }

    /// Seen on Linux 6.18 with the tools of Debian 12, except for what is said.
    #[test]
    fn t2_what_volumes_make_of_dates_out_of_range_is_known() {
        let (y1600, y1850, y2100, y2108, y5138) =
            (-11_676_096_000, -3_786_825_600, 4_102_444_800, 4_367_952_000, 99_999_999_999);
        let pairs = [
            // ext4 -I 128 and XFS bigtime=0.
            (y1600, -2_147_483_648),
            (y2100, 2_147_483_647),
            (y5138, 2_147_483_647),
            // sshfs.
            (y1600, 1_208_805_888),
            (y1850, 508_141_696),
            (-1, 4_294_967_295),
            (y2108, 72_984_704),
            (y5138, 1_215_752_191),
            // exfat-fuse after a remount: 1980-01-01, 1980-05-31, 2066-10-23.
            (y1850, FAT_FIRST),
            (y2108, 328_579_200),
            (y5138, 3_055_052_799),
            // FAT in Linux, by its source, with the time zone two hours off.
            (y1600, FAT_FIRST - 7200),
        ];
        for (given, shown) in pairs {
            assert!(is_out_of_range(at(given), at(shown), Limits::ANY), "{given} -> {shown}");
            assert_eq!(image(at(given), at(shown)), Some(Changed::OutOfRange));
        }
        // ntfs-3g.
        assert!(is_out_of_range(Time::new(-100, 987_654_321), at(-99), Limits::ANY));
    }

    #[test]
    fn t2_another_date_is_never_taken_for_what_a_volume_made_of_one() {
        let now = 1_790_000_000;
        for (given, shown) in [
            (-11_676_096_000, now),
            (now, now + 1),
            (now, now - 3600),
            (now, 2_147_483_647),
            (now, -2_147_483_648),
            (now, FAT_FIRST),
            (4_102_444_800, now),
            (now, 0),
            (now + (1 << 32), now + 1),
            (5, 4_294_967_295),
        ] {
            assert!(!is_out_of_range(at(given), at(shown), Limits::ANY), "{given} -> {shown}");
        }
    }

    /// 1970 and 1980 are what archives and reproducible builds give: on a volume without such a limit they are dates.
    #[test]
    fn t2_made_up_dates_are_nobodys_limit() {
        let of = |name: &str, fractions| {
            let mut volume = crate::model::volume(fcs_sys::CaseRule::Sensitive);
            volume.file_system = name.into();
            Limits::of(&volume, fractions)
        };
        for (name, fractions) in
            [("ext4", true), ("ext4", false), ("xfs", true), ("btrfs", true), ("tmpfs", true)]
        {
            for (given, shown) in [(0, FAT_FIRST), (-315_619_200, 0), (0, FAT_FIRST + 3600)] {
                assert!(
                    !is_out_of_range(at(given), at(shown), of(name, fractions)),
                    "{name}: {given} -> {shown}"
                );
            }
        }
        let y2040 = 2_208_988_800;
        assert!(
            !is_out_of_range(at(y2040), at(2_147_483_647), of("ext4", true)),
            "large inodes have no such limit"
        );
        assert!(is_out_of_range(at(y2040), at(2_147_483_647), of("ext4", false)));
        assert!(is_out_of_range(at(y2040), at(2_147_483_647), of("xfs", true)));
        assert!(is_out_of_range(at(0), at(FAT_FIRST), of("vfat", false)));
        assert!(is_out_of_range(at(-315_619_200), at(0), of("fuse.sshfs", false)));
    }

    #[test]
    fn t1_a_cut_date_matches_to_the_step_and_no_other_does() {
        let given = Time::new(1000, 123_456_789);
        assert_eq!(image(given, Time::new(1000, 123_456_700)), Some(Changed::Cut(100)));
        assert_eq!(image(given, Time::new(1000, 0)), Some(Changed::Cut(1_000_000_000)));
        assert_eq!(image(Time::new(1001, 5), Time::new(1000, 0)), Some(Changed::Cut(2_000_000_000)));
        assert_eq!(image(given, Time::new(1001, 0)), None);
        assert_eq!(image(given, Time::new(999, 0)), None);
        assert_eq!(image(given, given), None);
        assert_eq!(image(Time::new(-1, 500_000_000), at(-1)), Some(Changed::Cut(1_000_000_000)));
    }

    #[test]
    fn t1_the_step_of_a_volume_shows_in_its_dates() {
        let steps = |dates: &[Time]| {
            let mut steps = Steps::NONE_SEEN;
            dates.iter().for_each(|&date| steps.see(date));
            steps.step()
        };
        assert_eq!(steps(&[]), None);
        assert_eq!(steps(&[at(4), at(8)]), Some(1_000_000_000), "even by chance");
        assert_eq!(steps(&vec![at(4); 20]), Some(2_000_000_000));
        assert_eq!(steps(&[at(4), at(7)]), Some(1_000_000_000));
        assert_eq!(steps(&[at(4), Time::new(7, 1)]), None);
        assert_eq!(steps(&[at(4), Time::new(7, 900)]), Some(100));
    }
}
