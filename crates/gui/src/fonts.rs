//! The fonts of the window, compiled in: Inter for text, Phosphor for icons.
//!
//! Inter is one variable file; its three weights are three families that share the bytes. The figures have equal
//! widths (the file is made so by `assets/fonts/make_fonts.py`), so that a readout does not jitter.
//! There is no CJK yet: a subset that covers names is larger than the rest of the fonts together.

use std::sync::{Arc, LazyLock};

use egui::{
    Context, FontData, FontDefinitions, FontFamily, FontId, TextStyle,
    epaint::text::{FontTweak, VariationCoords},
};

/// Inter with weights from 400 to 600 and tabular figures.
pub const INTER: &[u8] = include_bytes!("../../../assets/fonts/Inter.ttf");
/// Phosphor Regular, for icons of 16 points and more.
pub const ICONS: &[u8] = include_bytes!("../../../assets/fonts/Phosphor-Regular.ttf");
/// Phosphor Bold, for icons of 12 points, where the regular line would fade.
pub const ICONS_SMALL: &[u8] = include_bytes!("../../../assets/fonts/Phosphor-Bold.ttf");

/// Weight of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Weight {
    /// 400, for text that is read.
    #[default]
    Regular,
    /// 500, for names and labels of controls.
    Medium,
    /// 600, for headings.
    SemiBold,
}

static MEDIUM: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("medium".into()));
static SEMI_BOLD: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("semibold".into()));
static ICON: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("icons".into()));
static ICON_SMALL: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("icons-small".into()));

/// The font of text with a size in points.
pub fn font(size_pt: f32, weight: Weight) -> FontId {
    let family = match weight {
        Weight::Regular => FontFamily::Proportional,
        Weight::Medium => MEDIUM.clone(),
        Weight::SemiBold => SEMI_BOLD.clone(),
    };
    FontId::new(size_pt, family)
}

/// The font of an icon with a side in points.
pub fn icon_font(side_pt: f32) -> FontId {
    FontId::new(side_pt, if side_pt < 14.0 { ICON_SMALL.clone() } else { ICON.clone() })
}

/// egui's name for text of 12 points: tables, rows, corner text.
pub fn table_style() -> TextStyle {
    TextStyle::Name("table".into())
}

/// egui's name for text of 20 points: the start screen.
pub fn title_style() -> TextStyle {
    TextStyle::Name("title".into())
}

/// Give the window its fonts. Call it once, before the first frame.
pub fn install(ctx: &Context) {
    ctx.set_fonts(definitions());
}

/// The families and their files.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let mut family = |key: &str, bytes: &'static [u8], tweak: FontTweak, families: &[FontFamily]| {
        fonts.font_data.insert(key.to_owned(), Arc::new(FontData::from_static(bytes).tweak(tweak)));
        for family in families {
            fonts.families.insert(family.clone(), vec![key.to_owned()]);
        }
    };
    let weight = |weight: f32| FontTweak { coords: VariationCoords::new([(b"wght", weight)]), ..FontTweak::default() };
    // Hinting would move the lines of an icon apart; they lie on the pixel grid by their size.
    let icon = || FontTweak { hinting: Some(false), subpixel_binning: Some(false), ..FontTweak::default() };
    family("inter", INTER, weight(400.0), &[FontFamily::Proportional, FontFamily::Monospace]);
    family("inter-medium", INTER, weight(500.0), std::slice::from_ref(&MEDIUM));
    family("inter-semibold", INTER, weight(600.0), std::slice::from_ref(&SEMI_BOLD));
    family("icons", ICONS, icon(), std::slice::from_ref(&ICON));
    family("icons-small", ICONS_SMALL, icon(), std::slice::from_ref(&ICON_SMALL));
    fonts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icons;

    /// Run `test` with the fonts loaded.
    fn with_fonts(mut test: impl FnMut(&mut egui::epaint::text::FontsView<'_>)) {
        let ctx = Context::default();
        install(&ctx);
        let output = ctx.run_ui(egui::RawInput::default(), |ui| ui.ctx().fonts_mut(|fonts| test(fonts)));
        output.drop_without_applying_deltas();
    }

    #[test]
    fn every_icon_has_a_glyph_in_both_weights() {
        with_fonts(|fonts| {
            for side_pt in [12.0, 16.0, 20.0] {
                for (name, icon) in icons::ALL {
                    assert!(fonts.has_glyph(&icon_font(side_pt), icon.0), "no glyph for {name} at {side_pt}");
                }
            }
        });
    }

    #[test]
    fn a_code_point_outside_the_set_has_none() {
        with_fonts(|fonts| assert!(!fonts.has_glyph(&icon_font(16.0), '\u{f8ff}')));
    }

    #[test]
    fn figures_have_equal_widths_in_every_weight() {
        with_fonts(|fonts| {
            for weight in [Weight::Regular, Weight::Medium, Weight::SemiBold] {
                let mut width = |text: &str| {
                    fonts.layout_no_wrap(text.to_owned(), font(12.0, weight), egui::Color32::PLACEHOLDER).size().x
                };
                let nines = width("9999.9");
                assert!((width("1111.1") - nines).abs() < 0.01, "{weight:?}");
                assert!((width("−712") - width("+111")).abs() < 0.01, "{weight:?}");
            }
        });
    }

    #[test]
    fn the_weights_differ() {
        with_fonts(|fonts| {
            let mut width = |weight| {
                fonts.layout_no_wrap("Hippocampus".to_owned(), font(13.0, weight), egui::Color32::PLACEHOLDER).size().x
            };
            assert!(width(Weight::Regular) < width(Weight::Medium));
            assert!(width(Weight::Medium) < width(Weight::SemiBold));
        });
    }

    #[test]
    fn the_signs_of_a_viewer_have_glyphs() {
        with_fonts(|fonts| {
            for sign in "×·−±≤≥≈°µ²³αβλσΔ→←↑↓…“”‘’–—•ŁčřЖ\u{2009}".chars()
            {
                assert!(fonts.has_glyph(&font(13.0, Weight::Regular), sign), "no glyph for {sign:?}");
            }
        });
    }
}
