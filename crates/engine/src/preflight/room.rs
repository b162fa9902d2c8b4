//! Room on the target: how much is to stay free, and what earlier runs keep.

use fcs_text::size;

use super::{JOURNAL_BYTES, MakeRoom, Problem, Severity};
use crate::Settings;
use crate::runs::RunInfo;
use crate::settings::Undo;

/// How much is to stay free. The default is meant for large volumes: on a small one it would be all there is, and who
/// writes three bytes does not fill a volume. Another value was wished for as it is.
pub(super) fn reserve(setting: u64, volume: u64, needed: u64) -> u64 {
    if setting == Settings::default().space_margin_bytes {
        setting.min(volume / 100).min(needed.max(JOURNAL_BYTES))
    } else {
        setting
    }
}

/// The oldest runs that make room if they are pruned, as `enough` judges their bytes; `None` if even all do not.
pub(super) fn make(runs: &[RunInfo], enough: &dyn Fn(u64) -> bool) -> Option<MakeRoom> {
    let mut room = MakeRoom { newest: String::new(), runs: 0, bytes: 0, due: true };
    for run in runs.iter().rev().filter(|run| run.undoable) {
        room.newest.clone_from(&run.run);
        room.runs += 1;
        room.bytes = room.bytes.saturating_add(run.kept_bytes);
        room.due &= matches!(run.undo, Undo::Last | Undo::Off);
        if enough(room.bytes) {
            return Some(room);
        }
    }
    None
}

/// What earlier runs keep, said where room is short.
pub(super) fn kept(runs: &[RunInfo], to: &str) -> Option<Problem> {
    let bytes = runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.kept_bytes));
    (bytes > 0).then(|| Problem {
        severity: Severity::Warns,
        text: format!(
            "Earlier runs on {to} keep {} of originals for undo. Pruning them makes room, and nothing brings them back.",
            size(bytes)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// R11: three bytes go onto 36 MiB, however large the volume is; a run that fills it leaves the reserve.
    #[test]
    fn the_reserve_follows_the_volume_and_what_is_written() {
        let setting = 64 * MIB;
        for volume in [40 * MIB, 1024 * MIB, 1 << 40] {
            assert!(3 + reserve(setting, volume, 3) < 36 * MIB, "{volume}");
        }
        assert_eq!(reserve(setting, 1 << 40, 1 << 35), setting);
        assert_eq!(reserve(setting, 100 * MIB, 90 * MIB), MIB);
        assert_eq!(reserve(100 * MIB, 200 * MIB, 3), 100 * MIB, "who sets another value means it");
    }
}
