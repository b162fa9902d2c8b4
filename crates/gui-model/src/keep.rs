//! What the window remembers from one session to the next, beside the engine's settings: folders, patterns, looks.
//!
//! Invariant: a file that cannot be understood costs the memory and nothing else; what is remembered is never needed to
//! start. This module must not know where the file lies.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Pairs of folders that are offered again.
pub const MOST_RECENT: usize = 12;

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

impl Theme {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The left folder.
    pub left: String,
    /// The right folder.
    pub right: String,
    /// Pairs of folders that were compared before, the latest first.
    pub pairs: Vec<[String; 2]>,
    /// Patterns of what takes part; empty for everything.
    pub include: Vec<String>,
    /// Patterns of what does not.
    pub exclude: Vec<String>,
    /// The mode, by its word; empty for none.
    pub mode: String,
    /// What the mode `custom` does with each category; empty as at first.
    pub custom: String,
    /// Light or dark.
    pub theme: Theme,
    /// Everything larger or smaller.
    pub zoom: Option<f32>,
    /// A click on a row only moves the cursor to it, and only its box ticks.
    pub only_boxes_tick: bool,
    /// The window's inner size, in points.
    pub size: Option<[f32; 2]>,
    /// The window fills the screen.
    pub maximized: bool,
    /// The table's columns, as the table writes them.
    pub columns: Vec<f32>,
    /// Columns that the user wants shown (`+name`) or not (`-name`).
    pub shown: Vec<String>,
}

impl Remembered {
    /// Nobody can read what is drawn smaller than this.
    pub const LEAST_ZOOM: f32 = 0.5;
    /// Nothing fits that is drawn larger.
    pub const MOST_ZOOM: f32 = 4.0;

    /// Reads it; what is not understood is as at first.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut kept: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        kept.pairs.truncate(MOST_RECENT);
        let good = |n: f32, from: f32, to: f32| n.is_finite() && (from..=to).contains(&n);
        kept.zoom = kept.zoom.filter(|&zoom| good(zoom, Self::LEAST_ZOOM, Self::MOST_ZOOM));
        kept.size = kept.size.filter(|size| size.iter().all(|&side| good(side, 200.0, 32_000.0)));
        if !kept.columns.iter().all(|&width| good(width, 0.0, 10_000.0)) {
            kept.columns.clear();
        }
        Ok(kept)
    }

    /// As text that [`Remembered::read`] reads.
    pub fn write(&self) -> String {
        let head = "# What FolderCompareSync's window remembers. Deleting this file does no harm.\n";
        // Plain values only: writing them cannot fail.
        head.to_owned() + &toml::to_string(self).unwrap_or_default()
    }

    /// Two folders were compared: they are offered first and when the window is opened again. A path that is not UTF-8
    /// cannot be typed, would be another one when it is read again, and is not kept.
    pub fn use_folders(&mut self, folders: &[PathBuf; 2]) {
        let text = |path: &PathBuf| path.to_str().filter(|path| !path.is_empty()).map(str::to_owned);
        let [left, right] = folders.each_ref().map(text);
        if let (Some(left), Some(right)) = (&left, &right) {
            let pair = [left.clone(), right.clone()];
            self.pairs.retain(|old| *old != pair);
            self.pairs.insert(0, pair);
            self.pairs.truncate(MOST_RECENT);
        }
        (self.left, self.right) = (left.unwrap_or_default(), right.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let kept = Remembered {
            left: r"D:\a 'b' ".into(),
            pairs: vec![["/x\"y".into(), "/z".into()]],
            theme: Theme::Dark,
            size: Some([1200.5, 800.0]),
            columns: vec![300.0, 84.5],
            ..Remembered::default()
        };
        assert_eq!(Remembered::read(&kept.write()), Ok(kept));
        assert_eq!(Remembered::read(""), Ok(Remembered::default()));
        assert_eq!(Remembered::read("of_a_later_version = 1\n"), Ok(Remembered::default()));
        assert!(Remembered::read("left = [").is_err());
    }

    #[test]
    fn nonsense_does_not_make_a_window_of_no_size() {
        let read = |text: &str| Remembered::read(text).unwrap();
        assert_eq!(read("size = [1.0, 800.0]").size, None);
        assert_eq!(read("zoom = nan").zoom, None);
        assert_eq!(read("columns = [100.0, -1.0]").columns, Vec::<f32>::new());
    }

    /// Case V7.
    #[test]
    fn the_latest_pair_comes_first_and_once() {
        let mut kept = Remembered::default();
        let mut compare = |n: u32| kept.use_folders(&[format!("/{n}").into(), "/to".into()]);
        (0..20).for_each(&mut compare);
        compare(15);
        assert_eq!(kept.pairs.len(), MOST_RECENT);
        assert_eq!(
            kept.pairs.iter().map(|pair| &*pair[0]).take(3).collect::<Vec<_>>(),
            ["/15", "/19", "/18"]
        );
        assert_eq!((&*kept.left, &*kept.right), ("/15", "/to"));
    }
}
