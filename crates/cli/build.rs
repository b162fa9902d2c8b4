//! Gives `fcs.exe` its icon, version and manifest. Does nothing, and needs nothing, for any other system.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use embed_resource::ParamsIncludeDirs;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // The system that is built for; `cfg!` would ask about the one that builds.
    if env::var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    for file in ["fcs.rc", "../../assets/fcs.ico", "../../assets/windows.manifest"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}"));
    let numbers = format!("{},{},{},0", part("MAJOR")?, part("MINOR")?, part("PATCH")?);
    let version = env::var("CARGO_PKG_VERSION")?;
    // In a header, because the two resource compilers want quotes on their command lines escaped in different ways.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let header = format!("#define FCS_NUMBERS {numbers}\n#define FCS_VERSION \"{version}\"\n");
    fs::write(out.join("version.h"), header)?;
    let parameters = ParamsIncludeDirs([out]);
    embed_resource::compile("fcs.rc", parameters).manifest_required()?;
    Ok(())
}
