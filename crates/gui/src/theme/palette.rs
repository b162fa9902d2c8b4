//! The colours of the two themes.
//!
//! Invariant: whatever is read has a contrast of at least 4.5 to 1 on everything it is drawn on, and what only has to
//! be seen (boxes, the ring of the focus) at least 3 to 1; the tests compute both. A colour never says alone what a
//! glyph or a word does not say too. This module must not know what is drawn.

use egui::{Color32, Theme};
use fcs_engine::compare::Group;

/// The colours of one theme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    /// Behind everything.
    pub bg: Color32,
    /// Panels, tables, dialogs.
    pub surface: Color32,
    /// Where text is typed.
    pub field: Color32,
    /// Every other row.
    pub zebra: Color32,
    /// The heads of tables.
    pub header: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// The row that keys act on.
    pub cursor: Color32,
    /// Where a side has no item.
    pub hole: Color32,
    /// Lines between things.
    pub line: Color32,
    /// Lines of what can be pressed.
    pub line_strong: Color32,
    /// The edge of an empty box, which has nothing else to be seen by.
    pub edge: Color32,
    /// Buttons.
    pub button: Color32,
    /// Buttons under the pointer.
    pub button_hover: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight.
    pub weak: Color32,
    /// Links, the ring of the focus, what is on.
    pub accent: Color32,
    /// Behind `on_primary`: the one thing to press, ticks, overall progress.
    pub primary: Color32,
    /// The same under the pointer.
    pub primary_hover: Color32,
    /// Behind `on_primary`: what cannot be undone.
    pub danger: Color32,
    /// The same, pointed at.
    pub danger_hover: Color32,
    /// On `primary` and `danger`.
    pub on_primary: Color32,
    /// Different.
    pub diff: Color32,
    /// On the left side only.
    pub left: Color32,
    /// On the right side only.
    pub right: Color32,
    /// Went well.
    pub ok: Color32,
    /// Failures and problems.
    pub bad: Color32,
    /// Wants attention.
    pub warn: Color32,
    /// The icon of a folder.
    pub folder: Color32,
}

impl Palette {
    /// The colours of a theme.
    pub fn of(theme: Theme) -> Self {
        match theme {
            Theme::Dark => DARK,
            Theme::Light => LIGHT,
        }
    }

    /// The colour of a verdict.
    pub fn verdict(&self, group: Group) -> Color32 {
        match group {
            Group::Same => self.weak,
            Group::Different => self.diff,
            Group::LeftOnly => self.left,
            Group::RightOnly => self.right,
            Group::Problem => self.bad,
        }
    }
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const DARK: Palette = Palette {
    bg: rgb(0x0015_171C),
    surface: rgb(0x001B_1E25),
    field: rgb(0x0010_1216),
    zebra: rgb(0x0019_1C22),
    header: rgb(0x001E_222A),
    hover: rgb(0x0023_2833),
    cursor: rgb(0x0023_3250),
    hole: rgb(0x0016_181D),
    line: rgb(0x002A_2F3A),
    line_strong: rgb(0x003B_4252),
    edge: rgb(0x0076_7F90),
    button: rgb(0x0024_2933),
    button_hover: rgb(0x002D_3440),
    text: rgb(0x00E6_E9EF),
    weak: rgb(0x009A_A2B1),
    accent: rgb(0x006B_A1FF),
    primary: rgb(0x002F_6FE0),
    primary_hover: rgb(0x0029_63CC),
    danger: rgb(0x00C9_3C37),
    danger_hover: rgb(0x00B5_332E),
    on_primary: rgb(0x00FF_FFFF),
    diff: rgb(0x00F2_B34C),
    left: rgb(0x004C_C38A),
    right: rgb(0x00B9_9AFF),
    ok: rgb(0x004C_C38A),
    bad: rgb(0x00FF_7B72),
    warn: rgb(0x00F2_B34C),
    folder: rgb(0x007A_A7E8),
};

const LIGHT: Palette = Palette {
    bg: rgb(0x00F4_F5F7),
    surface: rgb(0x00FF_FFFF),
    field: rgb(0x00FF_FFFF),
    zebra: rgb(0x00F9_FAFB),
    header: rgb(0x00EE_F0F3),
    hover: rgb(0x00EA_F1FE),
    cursor: rgb(0x00D8_E6FD),
    hole: rgb(0x00F3_F4F7),
    line: rgb(0x00DD_E1E7),
    line_strong: rgb(0x00BF_C6D1),
    edge: rgb(0x007C_8596),
    button: rgb(0x00FF_FFFF),
    button_hover: rgb(0x00F1_F4F9),
    text: rgb(0x001B_2130),
    weak: rgb(0x0057_6073),
    accent: rgb(0x001A_5FD0),
    primary: rgb(0x001F_6FEB),
    primary_hover: rgb(0x001A_60CE),
    danger: rgb(0x00B3_261E),
    danger_hover: rgb(0x0098_1F18),
    on_primary: rgb(0x00FF_FFFF),
    diff: rgb(0x0099_5000),
    left: rgb(0x000F_6B41),
    right: rgb(0x006B_3FD4),
    ok: rgb(0x000F_6B41),
    bad: rgb(0x00B3_261E),
    warn: rgb(0x0099_5000),
    folder: rgb(0x002F_68BC),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as in WCAG 2.2.
    fn luminance(color: Color32) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_contrast_is_what_wcag_computes() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast(rgb(0x0077_7777), Color32::WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn whatever_is_read_can_be_read_in_both_themes() {
        for theme in [Theme::Dark, Theme::Light] {
            let p = Palette::of(theme);
            let inks = [
                ("text", p.text),
                ("weak", p.weak),
                ("accent", p.accent),
                ("diff", p.diff),
                ("left", p.left),
                ("right", p.right),
                ("ok", p.ok),
                ("bad", p.bad),
                ("warn", p.warn),
            ];
            let papers = [
                ("bg", p.bg),
                ("surface", p.surface),
                ("field", p.field),
                ("zebra", p.zebra),
                ("header", p.header),
                ("hover", p.hover),
                ("cursor", p.cursor),
                ("button", p.button),
                ("button_hover", p.button_hover),
            ];
            for (ink, color) in inks {
                for (paper, below) in papers {
                    let found = contrast(color, below);
                    assert!(found >= 4.5, "{theme:?}: {ink} on {paper} has {found:.2}");
                }
            }
            for below in [p.primary, p.primary_hover, p.danger, p.danger_hover] {
                assert!(contrast(p.on_primary, below) >= 4.5, "{theme:?}");
            }
        }
    }

    #[test]
    fn what_has_to_be_seen_can_be_seen_in_both_themes() {
        for theme in [Theme::Dark, Theme::Light] {
            let p = Palette::of(theme);
            for (name, color) in
                [("edge", p.edge), ("accent", p.accent), ("folder", p.folder), ("primary", p.primary)]
            {
                for below in [p.bg, p.surface, p.zebra, p.hover, p.header] {
                    let found = contrast(color, below);
                    assert!(found >= 3.0, "{theme:?}: {name} on {below:?} has {found:.2}");
                }
            }
        }
    }
}
