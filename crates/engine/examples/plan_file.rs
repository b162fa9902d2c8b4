//! What a stored plan of many items costs: writes and reads one item by item, and prints seconds and bytes. Its memory is
//! seen from outside (`/usr/bin/time -v`).
//!
//! `cargo run --release -p fcs-engine --example plan_file -- [items] [file]`

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::time::Instant;

use fcs_engine::plan::file::{Line, PlanReader, PlanWriter};
use fcs_engine::plan::{Removal, RemovalFolder, RootIndex, SourceFolder, Target, Totals};
use fcs_engine::tree::NameOrder;
use fcs_sys::{Attributes, FileId, Fingerprint, Kind, Name, RelPath, Time};

const PER_FOLDER: u64 = 1000;

const FROM: RootIndex = RootIndex(0);
const TO: RootIndex = RootIndex(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let items = arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(1_000_000_u64);
    let path = arguments.next().map_or_else(|| std::env::temp_dir().join("plan.fcs"), Into::into);
    let seen = |n: u64, kind| Fingerprint {
        kind,
        id: FileId { volume: 1, file: n, file_high: 0 },
        size: n,
        modified: Time::new(1_700_000_000, n as u32 % 1_000_000_000),
        changed: Some(Time::new(1_700_000_000, 0)),
        attributes: Attributes(0o644),
    };
    let began = Instant::now();
    let mut writer = PlanWriter::begin(BufWriter::new(File::create(&path)?), &["/from", "/to"])?;
    for n in 0..items {
        if n % PER_FOLDER == 0 {
            let path = RelPath::parse(format!("folder {}", n / PER_FOLDER).as_bytes())?;
            let expect = seen(n, Kind::Folder);
            let source = SourceFolder {
                root: FROM,
                path: path.clone(),
                expect,
                missing: None,
                names: NameOrder::Exact,
            };
            writer.push(&Line::RemovalsIn(RemovalFolder {
                root: TO,
                path,
                expect,
                source,
                protection: None,
                items: Vec::new(),
            }))?;
        }
        let name = Name::new(format!("file number {n}").into_bytes())?;
        let expect = seen(n, Kind::File);
        writer.push(&Line::Removal(Removal { name, expect, protection: None, makes_way: false }))?;
    }
    let totals = Totals { removed_files: items, ..Totals::default() };
    writer.finish(&[Target { root: TO, source: FROM, totals }])?;
    let bytes = path.metadata()?.len();
    println!("{items} items written in {:.2} s: {bytes} bytes", began.elapsed().as_secs_f64());

    let began = Instant::now();
    let mut reader = PlanReader::begin(BufReader::new(File::open(&path)?))?;
    let mut found = 0_u64;
    for line in &mut reader {
        found += u64::from(matches!(line?, Line::Removal(_)));
    }
    let whole = reader.end().is_some();
    println!("{found} items read in {:.2} s; whole and unchanged: {whole}", began.elapsed().as_secs_f64());
    std::fs::remove_file(&path)?;
    Ok(())
}
