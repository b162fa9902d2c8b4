//! What the programs are made of, judged by the lists in `deny.toml`: licences, second versions of one crate, and where
//! crates come from; and that the command line is built without anything of the window.
//!
//! Not by `cargo deny`, which few have and which takes minutes to build: a check that is skipped on most machines
//! protects nothing. The file is in its format, so whoever has the tool gets the same answer from it, and more (yanked
//! crates, vulnerabilities), for which it needs a network.
//!
//! Invariant: a list that cannot be read, or an entry in it that matches nothing, is a finding. This module knows nothing
//! of the crates but what cargo says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

use crate::sh;

/// What draws the window. The command line must not need any of it: it is built on servers without a screen.
const OF_THE_WINDOW: [&str; 6] = ["accesskit", "eframe", "egui", "rfd", "wgpu", "winit"];

/// The lists that are judged by. Whatever else is in the file speaks to `cargo deny` alone.
#[derive(Debug, Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

/// Further licences of one crate.
#[derive(Debug, Deserialize)]
struct Exception {
    allow: Vec<String>,
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Debug, Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// One version, as `name@version`, beside which there may be others.
#[derive(Debug, Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// A crate that is built for at least one of the targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Built {
    name: String,
    version: String,
    /// An SPDX expression, or what stands for one in old manifests.
    license: String,
}

/// What is wrong with the dependencies by `deny.toml`, a line each.
pub(crate) fn found() -> Result<Vec<String>, String> {
    let read = |name: &str| {
        let path = sh::repository().join(name);
        fs::read_to_string(&path).map_err(|error| format!("Could not read {}: {error}", path.display()))
    };
    let rules: Rules = toml::from_str(&read("deny.toml")?).map_err(|error| format!("deny.toml: {error}"))?;
    let mut built = BTreeSet::new();
    for target in &rules.graph.targets {
        built.extend(tree(&["--workspace", "--edges", "normal,build,dev", "--target", target])?);
    }
    let mut wrong = licenses(&built, &rules.licenses);
    wrong.extend(versions(&built, &rules.bans));
    wrong.extend(sources(&read("Cargo.lock")?, &rules.sources)?);
    Ok(wrong)
}

/// What of the window the command line would be built with, on any system, a line each.
pub(crate) fn found_in_command_line() -> Result<Vec<String>, String> {
    let of = |package| tree(&["--package", package, "--edges", "normal,build", "--target", "all"]);
    Ok(of_the_window(&of("fcs-cli")?, &of("fcs-gui")?))
}

fn of_the_window(command_line: &BTreeSet<Built>, window: &BTreeSet<Built>) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in OF_THE_WINDOW {
        let is_part = |built: &&Built| {
            built.name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        };
        wrong.extend(command_line.iter().filter(is_part).map(|found| {
            format!("fcs-cli would be built with {} {}, which is the window's", found.name, found.version)
        }));
        if !window.iter().any(|built| is_part(&built)) {
            // Or the check would go on passing without looking for anything.
            wrong.push(format!("the window has no {part} any more: correct the list in xtask/src/deny.rs"));
        }
    }
    wrong
}

/// The crates that `cargo tree` lists.
fn tree(args: &[&str]) -> Result<BTreeSet<Built>, String> {
    let mut cargo = sh::cargo(&["tree", "--quiet", "--locked", "--prefix", "none", "--format", "{p}\t{l}"]);
    let output = cargo.args(args).output().map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| Built::parse(line).ok_or_else(|| format!("cargo tree printed {line:?}")))
        .collect()
}

impl Built {
    /// A line `name vVERSION[ (remark)]<TAB>licence[ (*)]`.
    fn parse(line: &str) -> Option<Self> {
        let (package, license) = line.split_once('\t')?;
        let (name, rest) = package.split_once(" v")?;
        let version = rest.split(' ').next()?;
        let license = license.strip_suffix("(*)").unwrap_or(license).trim();
        Some(Self { name: name.to_owned(), version: version.to_owned(), license: license.to_owned() })
    }
}

fn licenses(built: &BTreeSet<Built>, rules: &Licenses) -> Vec<String> {
    let mut unused: BTreeSet<&str> =
        rules.exceptions.iter().map(|exception| exception.name.as_str()).collect();
    let mut wrong = Vec::new();
    for Built { name, version, license } in built {
        let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
            wrong.push(format!("{name} {version} names {license:?}, which is no licence expression"));
            continue;
        };
        let generally = |wanted: &LicenseReq| rules.allow.contains(&wanted.to_string());
        if expression.evaluate(generally) {
            continue;
        }
        let exception = rules.exceptions.iter().find(|exception| exception.name == *name);
        let specially =
            |wanted: &LicenseReq| exception.is_some_and(|e| e.allow.contains(&wanted.to_string()));
        if expression.evaluate(|wanted| generally(wanted) || specially(wanted)) {
            unused.remove(name.as_str());
        } else {
            wrong.push(format!("{name} {version} has the licence {license}, which deny.toml does not allow"));
        }
    }
    wrong.extend(
        unused.into_iter().map(|name| format!("deny.toml has an exception for {name} that nothing needs")),
    );
    wrong
}

fn versions(built: &BTreeSet<Built>, rules: &Bans) -> Vec<String> {
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for one in built {
        versions.entry(&one.name).or_default().insert(&one.version);
    }
    let mut unused: BTreeSet<&str> = rules.skip.iter().map(|skip| skip.version.as_str()).collect();
    let mut wrong = Vec::new();
    for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
        let unnamed: Vec<&str> =
            versions.into_iter().filter(|version| !unused.remove(&*format!("{name}@{version}"))).collect();
        if unnamed.len() != 1 {
            let all_but_one = "deny.toml must name all but one of them in bans.skip";
            wrong
                .push(format!("{name} is built in several versions ({}): {all_but_one}", unnamed.join(", ")));
        }
    }
    wrong.extend(unused.into_iter().map(|version| format!("deny.toml skips {version}, which nothing needs")));
    wrong
}

fn sources(lock: &str, rules: &Sources) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        /// None for what is in the repository.
        source: Option<String>,
    }
    let lock: Lock = toml::from_str(lock).map_err(|error| format!("Cargo.lock: {error}"))?;
    let allowed = |source: &str| {
        source.strip_prefix("registry+").is_some_and(|url| rules.allow_registry.iter().any(|one| one == url))
    };
    let strangers = lock.package.into_iter().filter_map(|Locked { name, version, source }| {
        let source = source.filter(|source| !allowed(source))?;
        Some(format!("{name} {version} comes from {source}, which deny.toml does not allow"))
    });
    Ok(strangers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(lines: &[&str]) -> BTreeSet<Built> {
        lines.iter().map(|line| Built::parse(line).unwrap()).collect()
    }

    #[test]
    fn lines_of_cargo_tree_are_understood() {
        for line in ["a-b v1.2.3\tMIT", "a-b v1.2.3 (proc-macro)\tMIT (*)", "a-b v1.2.3 (/some where)\tMIT"] {
            let [name, version, license] = ["a-b", "1.2.3", "MIT"].map(str::to_owned);
            assert_eq!(Built::parse(line), Some(Built { name, version, license }), "{line}");
        }
        assert_eq!(Built::parse("a-b v1.2.3\t").unwrap().license, "");
        assert_eq!(Built::parse("[dev-dependencies]"), None);
    }

    #[test]
    fn a_licence_must_be_allowed_for_all_or_for_this_one() {
        let exception = |name: &str| Exception { allow: vec!["MPL-2.0".to_owned()], name: name.to_owned() };
        let rules = Licenses {
            allow: ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).to_vec(),
            exceptions: vec![exception("excepted"), exception("gone")],
        };
        let all = built(&[
            "good v1.0.0\tGPL-3.0-only OR MIT",
            "old v1.0.0\tMIT/Apache-2.0",
            "llvm v1.0.0\tApache-2.0 WITH LLVM-exception",
            "excepted v1.0.0\tMPL-2.0 AND MIT",
            "bad v1.0.0\tMPL-2.0",
            "both v1.0.0\tMIT AND GPL-3.0-only",
            "apache v1.0.0\tApache-2.0",
            "none v1.0.0\t",
        ]);
        let wrong = licenses(&all, &rules);
        assert_eq!(
            wrong,
            [
                "apache 1.0.0 has the licence Apache-2.0, which deny.toml does not allow",
                "bad 1.0.0 has the licence MPL-2.0, which deny.toml does not allow",
                "both 1.0.0 has the licence MIT AND GPL-3.0-only, which deny.toml does not allow",
                "none 1.0.0 names \"\", which is no licence expression",
                "deny.toml has an exception for gone that nothing needs",
            ]
        );
    }

    #[test]
    fn each_second_version_is_named() {
        let rules = |skip: &[&str]| Bans {
            skip: skip.iter().map(|&version| Skip { version: version.to_owned() }).collect(),
        };
        let all = built(&["a v1.0.0\tMIT", "a v2.0.0\tMIT", "b v1.0.0\tMIT"]);
        assert_eq!(versions(&all, &rules(&["a@1.0.0"])), [""; 0]);
        assert_eq!(versions(&all, &rules(&[])).len(), 1);
        let wrong = versions(&all, &rules(&["a@1.0.0", "b@1.0.0"]));
        assert_eq!(wrong, ["deny.toml skips b@1.0.0, which nothing needs"]);
        assert_eq!(versions(&all, &rules(&["a@1.0.0", "a@2.0.0"])).len(), 1, "then the next would go unseen");
    }

    #[test]
    fn crates_come_from_the_registries_that_are_named() {
        let rules = Sources { allow_registry: vec!["https://good".to_owned()] };
        let lock = |source: &str| format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n{source}\n");
        for source in ["", "source = \"registry+https://good\""] {
            assert_eq!(sources(&lock(source), &rules).unwrap(), [""; 0]);
        }
        for source in ["registry+https://bad", "git+https://good", "sparse+https://good"] {
            assert_eq!(
                sources(&lock(&format!("source = \"{source}\"")), &rules).unwrap().len(),
                1,
                "{source}"
            );
        }
    }

    #[test]
    fn what_draws_is_found_in_the_command_line_and_must_be_in_the_window() {
        let window = built(&[
            "accesskit v1.0.0\t",
            "eframe v1.0.0\t",
            "egui-winit v1.0.0\t",
            "rfd v1.0.0\t",
            "wgpu_core v1.0.0\t",
            "winit v1.0.0\t",
        ]);
        let cli = built(&["clap v4.0.0\t", "eguilike v1.0.0\t"]);
        assert_eq!(of_the_window(&cli, &window), [""; 0]);
        assert_eq!(
            of_the_window(&built(&["egui-wgpu v1.0.0\t"]), &window),
            ["fcs-cli would be built with egui-wgpu 1.0.0, which is the window's"]
        );
        assert_eq!(of_the_window(&cli, &cli).len(), OF_THE_WINDOW.len());
    }
}
