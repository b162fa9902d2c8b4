//! Between file and device: hints to the cache, emptying it, syncing a volume, holes.

use fcs_sys::{Eviction, write_all_at};

use super::{Bench, Checked, Context, ensure, pattern, rules, same, unsupported};

rules![
    the_volume_syncs_as_its_facts_say,
    writeback_changes_nothing,
    evicting_tells_the_truth_and_changes_nothing,
    holes_are_seen,
];

fn the_volume_syncs_as_its_facts_say(b: &Bench) -> Checked {
    b.file("file", b"x")?;
    same!(b.facts.sync_volume, !b.lacks.sync_volume, "whether the facts say it can be synced");
    let synced = b.dir.sync_volume();
    if b.lacks.sync_volume { unsupported(synced, "sync_volume") } else { synced.context("sync_volume") }
}

fn writeback_changes_nothing(b: &Bench) -> Checked {
    let all = pattern(1 << 20);
    let file = b.file("file", &all)?;
    file.start_writeback(0, 512 << 10).context("start_writeback")?;
    file.wait_writeback(0, 512 << 10).context("wait_writeback")?;
    file.start_writeback(512 << 10, 512 << 10).context("start_writeback")?;
    file.prefetch(0, 1 << 20);
    ensure!(b.content("file")? == all, "the content changed");
    Ok(())
}

fn evicting_tells_the_truth_and_changes_nothing(b: &Bench) -> Checked {
    let all = pattern(1 << 20);
    let file = b.file("file", &all)?;
    file.sync().context("sync")?;
    let evicted = file.evict().context("evict")?;
    if b.lacks.eviction {
        ensure!(evicted != Eviction::Proven, "a cache that cannot be asked is said to be empty");
    } else {
        same!(evicted, Eviction::Proven, "after a sync, with no map");
    }
    if let Eviction::Unproven(why) = evicted {
        ensure!(!why.is_empty(), "no reason is given");
    }
    ensure!(b.content("file")? == all, "the content changed");
    Ok(())
}

fn holes_are_seen(b: &Bench) -> Checked {
    let dense = b.file("dense", &pattern(1 << 20))?;
    same!(dense.has_holes().context("has_holes")?, false, "holes in a file written in one go");
    if b.lacks.holes {
        return Ok(());
    }
    let sparse = b.file("sparse", b"begin")?;
    write_all_at(&*sparse, b"end", 10 << 20).context("write_at past the end")?;
    sparse.sync().context("sync")?;
    same!(sparse.has_holes().context("has_holes")?, true, "holes in a file with 10 MiB never written");
    Ok(())
}
