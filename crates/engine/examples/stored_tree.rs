//! What a stored scan of many items costs: makes a tree of so many, writes and reads it, prints seconds and bytes; and the
//! same as JSON. Its memory is seen from outside (`/usr/bin/time -v`).
//!
//! `cargo run --release -p fcs-engine --example stored_tree -- [items] [file] [json]`

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::Instant;

use fcs_engine::Control;
use fcs_engine::Settings;
use fcs_engine::filter::Filter;
use fcs_engine::scan::scan;
use fcs_engine::tree::stored::{Builder, ItemPart, Part};
use fcs_engine::tree::{NameOrder, Tree, stored};
use fcs_sys::Name;

const PER_PART: u64 = 256;

/// A folder with so many files, each as a file of this machine looks.
fn tree_of(items: u64) -> Result<Tree, Box<dyn Error>> {
    let here = fcs_sys::open_root(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let filter = Filter::new(&["Cargo.toml".into()], &[], false)?;
    let seen = scan(&here, NameOrder::Exact, &filter, &Settings::default(), &Control::default())?;
    let (mut builder, mut sample) = (Builder::default(), None);
    for part in seen.parts() {
        match part {
            Part::Items(items) => {
                sample = sample.or(items.into_iter().find(|item| item.name.as_bytes() == b"Cargo.toml"));
            }
            Part::Folder(folder) if folder.item.is_none() => builder.push(Part::Folder(folder))?,
            Part::Folder(_) => {}
            other => builder.push(other)?,
        }
    }
    let sample = sample.ok_or("there is no file here")?;
    for start in (0..items).step_by(PER_PART as usize) {
        let item = |n: u64| {
            let name = Name::new(format!("file number {n:09}").into_bytes())?;
            Ok(ItemPart { name, ..sample.clone() })
        };
        let part: Result<Vec<ItemPart>, fcs_sys::BadName> =
            (start..(start + PER_PART).min(items)).map(item).collect();
        builder.push(Part::Items(part?))?;
    }
    Ok(builder.finish()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let items = arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(1_000_000_u64);
    let path = arguments.next().map_or_else(|| std::env::temp_dir().join("tree.fcs"), Into::into);
    let json = arguments.next().is_some();
    let tree = tree_of(items)?;

    let began = Instant::now();
    let out = BufWriter::new(File::create(&path)?);
    if json {
        serde_json::to_writer(out, &tree)?;
    } else {
        drop(stored::write(&tree, out)?);
    }
    let (bytes, seconds) = (path.metadata()?.len(), began.elapsed().as_secs_f64());
    println!("{items} items written in {seconds:.2} s: {bytes} bytes");
    drop(tree);

    let began = Instant::now();
    let input = BufReader::new(File::open(&path)?);
    let again: Tree = if json { serde_json::from_reader(input)? } else { stored::read(input)? };
    println!("{} items read in {:.2} s", again.items(), began.elapsed().as_secs_f64());
    std::fs::remove_file(&path)?;
    Ok(())
}
