//! Results as text.
//!
//! Invariant: ratios are medians of the ratios within each round, because the machine's mood changes between rounds
//! more than within one.

use std::fmt::Write;

use super::contest::{Out, Outcome, Target};
use super::run::Sample;

/// The table of one contest, and whether everyone installed did the work and the targets are met. Ratios are of the
/// contestant named `ours` to each.
pub(super) fn render(title: &str, outcomes: &[Outcome], ours: &str, targets: &[Target]) -> (String, bool) {
    let mut rows =
        vec![["", "median s", "min", "max", "cpu s", "peak MiB", "fcs ÷ this", "proves"].map(str::to_owned)];
    let mut notes = String::new();
    let mut good = true;
    for outcome in outcomes {
        let of =
            |what: fn(&Sample) -> Option<f64>| outcome.samples.iter().flatten().filter_map(what).collect();
        let (walls, cpus, peaks): (Vec<f64>, Vec<f64>, Vec<f64>) =
            (of(|s| Some(s.wall)), of(|s| Some(s.cpu)), of(|s| s.peak_mib));
        let show =
            |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |v| format!("{v:.digits$}"));
        rows.push([
            outcome.name.to_owned(),
            show(median(&walls), 2),
            show(walls.iter().copied().reduce(f64::min), 2),
            show(walls.iter().copied().reduce(f64::max), 2),
            show(median(&cpus), 2),
            show(median(&peaks), 0),
            show(ratio(outcomes, ours, outcome.name), 2),
            outcome.proves.to_owned(),
        ]);
        match &outcome.out {
            None => {}
            Some(Out::NotInstalled) => _ = writeln!(notes, "{}: not installed", outcome.name),
            Some(Out::Failed(reason)) => {
                good = false;
                _ = writeln!(notes, "{}: FAILED: {reason}", outcome.name);
            }
        }
    }
    let mut text = format!("== {title}\n{}{notes}", aligned(&rows));
    for Target { ours, reference, at_most } in targets {
        let reached = ratio(outcomes, ours, reference);
        let met = reached.is_some_and(|ratio| ratio <= *at_most) && complete(outcomes, ours);
        good &= met;
        let reached = reached.map_or("no ratio".to_owned(), |ratio| format!("{ratio:.2}"));
        let verdict = if met { "PASS" } else { "MISS" };
        _ = writeln!(text, "target: {ours} ≤ {at_most} × {reference}: {reached}: {verdict}");
    }
    (text, good)
}

fn complete(outcomes: &[Outcome], name: &str) -> bool {
    outcomes.iter().any(|outcome| outcome.name == name && outcome.out.is_none())
}

/// Median over the rounds both ended of the time of one divided by the time of the other.
fn ratio(outcomes: &[Outcome], of: &str, to: &str) -> Option<f64> {
    let samples = |name: &str| outcomes.iter().find(|outcome| outcome.name == name).map(|o| o.samples.iter());
    let pairs = samples(of)?.zip(samples(to)?);
    let ratios: Vec<f64> = pairs.filter_map(|(a, b)| Some(a.as_ref()?.wall / b.as_ref()?.wall)).collect();
    median(&ratios)
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// Names and words to the left, figures to the right.
fn aligned(rows: &[[String; 8]]) -> String {
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        _ = write!(text, "{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1).take(6) {
            _ = write!(text, "  {cell:>width$}");
        }
        _ = writeln!(text, "  {}", row[7]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, walls: &[f64], out: Option<Out>) -> Outcome {
        let sample = |&wall: &f64| (wall > 0.0).then_some(Sample { wall, cpu: wall, peak_mib: None });
        Outcome { name, proves: "", samples: walls.iter().map(sample).collect(), out }
    }

    const TARGET: Target = Target { ours: "fcs", reference: "cp", at_most: 0.9 };

    #[test]
    fn the_ratio_is_the_median_of_the_ratios_of_each_round() {
        // The medians alone, 2 and 4, would say 0.5.
        let outcomes = [outcome("fcs", &[1.0, 2.0, 9.0], None), outcome("cp", &[10.0, 4.0, 3.0], None)];
        assert_eq!(ratio(&outcomes, "fcs", "cp"), Some(0.5));
        let outcomes = [outcome("fcs", &[2.0, 0.0, 9.0], None), outcome("cp", &[1.0, 4.0, 3.0], None)];
        assert_eq!(ratio(&outcomes, "fcs", "cp"), Some(2.5), "a round that one did not end is left out");
    }

    #[test]
    fn a_target_is_met_or_missed_and_never_met_by_who_failed() {
        let fast = [outcome("fcs", &[1.0], None), outcome("cp", &[2.0], None)];
        let (text, good) = render("t", &fast, "fcs", &[TARGET]);
        assert!(good && text.ends_with("target: fcs ≤ 0.9 × cp: 0.50: PASS\n"), "{text}");
        let slow = [outcome("fcs", &[2.0], None), outcome("cp", &[2.0], None)];
        let (text, good) = render("t", &slow, "fcs", &[TARGET]);
        assert!(!good && text.ends_with("1.00: MISS\n"), "{text}");
        let out = Some(Out::Failed("exit code 4".to_owned()));
        let failed = [outcome("fcs", &[1.0, 0.0], out), outcome("cp", &[2.0, 2.0], None)];
        let (text, good) = render("t", &failed, "fcs", &[TARGET]);
        assert!(!good && text.contains("fcs: FAILED: exit code 4\n") && text.ends_with("MISS\n"), "{text}");
    }

    #[test]
    fn who_is_not_installed_spoils_nothing() {
        let outcomes = [outcome("fcs", &[1.0], None), outcome("rclone", &[0.0], Some(Out::NotInstalled))];
        let (text, good) = render("t", &outcomes, "fcs", &[]);
        assert!(good && text.contains("rclone: not installed\n"), "{text}");
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
    }
}
