//! The build script of both programs: gives the one for Windows its icon, version and manifest. Does nothing, and needs
//! nothing, for any other system.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use embed_resource::ParamsIncludeDirs;

fn main() -> Result<(), Box<dyn Error>> {
    let assets = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../assets");
    println!("cargo::rerun-if-changed={}", assets.join("windows.rs").display());
    // The system that is built for; `cfg!` would ask about the one that builds.
    if env::var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    for file in ["windows.rc", "fcs.ico", "windows.manifest"] {
        println!("cargo::rerun-if-changed={}", assets.join(file).display());
    }
    // Windows shows the description in the place of a program's name.
    let (program, description) = match env::var("CARGO_PKG_NAME")?.as_str() {
        "fcs-gui" => ("fcs-gui", "FolderCompareSync"),
        _ => ("fcs", "FolderCompareSync: compare, copy and verify folder trees"),
    };
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}"));
    let numbers = format!("{},{},{},0", part("MAJOR")?, part("MINOR")?, part("PATCH")?);
    let version = env::var("CARGO_PKG_VERSION")?;
    // In a header, because the two resource compilers want quotes on their command lines escaped in different ways.
    let header = format!(
        "#define FCS_NUMBERS {numbers}\n#define FCS_VERSION \"{version}\"\n#define FCS_PROGRAM \"{program}\"\n\
         #define FCS_FILE \"{program}.exe\"\n#define FCS_DESCRIPTION \"{description}\"\n"
    );
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("version.h"), header)?;
    let script = assets.join("windows.rc");
    embed_resource::compile(script, ParamsIncludeDirs([out, assets])).manifest_required()?;
    Ok(())
}
