//! How the window looks: fonts, icons, colours, the style of egui's own widgets.
//!
//! Invariant: [`install`] is all that a context needs, and asks nothing of the system, so a picture does not depend on
//! the fonts of the machine it is made on. This module must not know what is drawn.

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    Style, TextStyle, Theme, Vec2,
};

pub mod icon;
mod palette;

pub use palette::Palette;

/// The grid that distances are multiples of, in points; half of it within a control.
pub const GRID: f32 = 8.0;
/// The height of controls.
pub const CONTROL: f32 = 28.0;
/// The height of the one control that a view is for.
pub const PRIMARY: f32 = 32.0;
/// The radius of controls.
pub const ROUND: u8 = 6;
/// The radius of panels.
pub const PANEL_ROUND: u8 = 8;

/// The family of medium weight.
pub fn medium() -> FontFamily {
    FontFamily::Name("medium".into())
}

/// The family of semi-bold weight.
pub fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

/// Puts fonts and styles into a context.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.all_styles_mut(metrics);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| colours(style, &Palette::of(theme)));
    }
}

/// The fonts, without those of the system.
pub fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 4] = [
        ("inter", include_bytes!("../assets/Inter-Regular.otf")),
        ("inter-medium", include_bytes!("../assets/Inter-Medium.otf")),
        ("inter-semibold", include_bytes!("../assets/Inter-SemiBold.otf")),
        ("icons", include_bytes!("../assets/phosphor-subset.ttf")),
    ];
    for (name, bytes) in files {
        let mut data = FontData::from_static(bytes);
        if name == "icons" {
            // Phosphor draws a little above the middle of a line of Inter.
            data.tweak.y_offset_factor = 0.08;
        }
        fonts.font_data.insert(name.into(), data.into());
    }
    let families = [
        (FontFamily::Proportional, "inter"),
        (FontFamily::Monospace, "inter"),
        (medium(), "inter-medium"),
        (semibold(), "inter-semibold"),
    ];
    for (family, text) in families {
        // Icons first: Inter has other glyphs at the same private code points.
        fonts.families.insert(family, vec!["icons".into(), text.into()]);
    }
    fonts
}

fn metrics(style: &mut Style) {
    style.text_styles = [
        (TextStyle::Heading, FontId::new(17.0, semibold())),
        (TextStyle::Body, FontId::new(13.0, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(13.0, medium())),
        (TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace)),
        (TextStyle::Small, FontId::new(12.0, FontFamily::Proportional)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::splat(GRID);
    style.spacing.button_padding = Vec2::new(12.0, 6.0);
    style.spacing.interact_size.y = CONTROL;
    style.spacing.window_margin = Margin::same(16);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.icon_width = 16.0;
    style.spacing.icon_width_inner = 8.0;
    style.spacing.icon_spacing = GRID;
    style.interaction.selectable_labels = false;
}

fn colours(style: &mut Style, p: &Palette) {
    let visuals = &mut style.visuals;
    visuals.panel_fill = p.bg;
    visuals.window_fill = p.surface;
    visuals.window_stroke = Stroke::new(1.0, p.line_strong);
    visuals.window_corner_radius = CornerRadius::same(PANEL_ROUND + 2);
    visuals.menu_corner_radius = CornerRadius::same(PANEL_ROUND);
    let shade = if visuals.dark_mode { 120 } else { 40 };
    let shadow = Shadow { offset: [0, 6], blur: 20, spread: 0, color: Color32::from_black_alpha(shade) };
    (visuals.popup_shadow, visuals.window_shadow) = (shadow, shadow);
    visuals.extreme_bg_color = p.field;
    visuals.text_edit_bg_color = Some(p.field);
    visuals.faint_bg_color = p.zebra;
    visuals.selection.bg_fill = p.accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.0, p.accent);
    visuals.hyperlink_color = p.accent;
    visuals.warn_fg_color = p.warn;
    visuals.error_fg_color = p.bad;
    visuals.weak_text_color = Some(p.weak);
    let round = CornerRadius::same(ROUND);
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, p.line);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, p.text);
    widgets.noninteractive.corner_radius = round;
    for (widget, fill, line) in [
        (&mut widgets.inactive, p.button, p.line_strong),
        (&mut widgets.hovered, p.button_hover, p.edge),
        (&mut widgets.active, p.button_hover, p.accent),
        (&mut widgets.open, p.button_hover, p.edge),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, line);
        widget.fg_stroke = Stroke::new(1.0, p.text);
        widget.corner_radius = round;
        widget.expansion = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_every_icon_and_what_the_interface_writes() {
        let ctx = Context::default();
        install(&ctx);
        let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
            let font = FontId::proportional(13.0);
            for text in icon::ALL.iter().copied().chain(["×·…–—“”≠=→←", "ÄßéΩж"]) {
                assert!(ui.fonts_mut(|fonts| fonts.has_glyphs(&font, text)), "{text:?}");
            }
        });
        output.textures_delta.clear();
    }
}
