//! The design tokens: every colour and every size that the window knows.
//!
//! Colours are read from `assets/themes/{dark,light}.ron`, compiled in and parsed once; the whole crate asks
//! [`tokens`] for them, and a lint refuses a colour written anywhere else. Sizes are constants in [`size`], in points.

use std::sync::LazyLock;

use egui::{Color32, Context, Ui};
use serde::{Deserialize, Deserializer, de::Error as _};

#[cfg(test)]
mod contrast;
mod style;

/// Sizes in points. All are multiples of 4, save the lines and the smallest radius.
pub mod size {
    /// Distances between and inside parts: `SPACE[0]` is 4, then 8, 12, 16, 24, 32.
    pub const SPACE: [f32; 6] = [4.0, 8.0, 12.0, 16.0, 24.0, 32.0];

    /// Radius of a thumbnail.
    pub const RADIUS_THUMB: u8 = 3;
    /// Radius of a control.
    pub const RADIUS: u8 = 4;
    /// Radius of a card and of a popup.
    pub const RADIUS_CARD: u8 = 6;
    /// Radius of a drop target.
    pub const RADIUS_DROP: u8 = 8;

    /// Height of a control.
    pub const CONTROL: f32 = 28.0;
    /// Height of a compact control; also the smallest side of a hit area.
    pub const CONTROL_COMPACT: f32 = 24.0;
    /// Side of a tool in the strip.
    pub const TOOL: f32 = 32.0;
    /// Heights of a list row: dense, normal, with two lines.
    pub const ROW: [f32; 3] = [24.0, 28.0, 40.0];
    /// Height of a row of the studies panel and side of the thumbnail in it.
    pub const THUMB_ROW: [f32; 2] = [64.0, 56.0];
    /// Height of a section's header.
    pub const SECTION: f32 = 32.0;
    /// Height of the tabs of the right panel.
    pub const TABS: f32 = 36.0;

    /// Side of an icon in tools, in rows, in chips.
    pub const ICON: [f32; 3] = [20.0, 16.0, 12.0];

    /// Height of the top bar.
    pub const TOP_BAR: f32 = 40.0;
    /// Width of the tool strip.
    pub const TOOL_STRIP: f32 = 44.0;
    /// Width of the studies panel: least, usual, most.
    pub const STUDIES: [f32; 3] = [176.0, 208.0, 320.0];
    /// Width of the studies panel as a strip of thumbnails.
    pub const STUDIES_STRIP: f32 = 64.0;
    /// Width of the right panel: least, usual, most.
    pub const PANEL: [f32; 3] = [280.0, 320.0, 420.0];
    /// Width of the right panel with the report in it.
    pub const PANEL_REPORT: f32 = 384.0;
    /// Width of the closed right panel.
    pub const RAIL: f32 = 48.0;
    /// Side padding of the right panel.
    pub const PANEL_PADDING: f32 = 12.0;
    /// Gap between viewports.
    pub const VIEWPORT_GAP: f32 = 4.0;
    /// Height of the trust bar below an image, and of the head bar above.
    pub const TRUST_BAR: f32 = 20.0;
    /// Height of the status bar.
    pub const STATUS_BAR: f32 = 24.0;

    /// Sizes of text: note, table and corner text, body, heading, start screen.
    pub const TEXT: [f32; 5] = [11.0, 12.0, 13.0, 15.0, 20.0];
    /// Height of a line of text in each of [`TEXT`].
    pub const LINE: [f32; 5] = [16.0, 16.0, 20.0, 24.0, 28.0];
}

/// The two themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
pub enum Theme {
    /// For a reading room: the default.
    #[default]
    Dark,
    /// For a bright room; the ground of an image stays black.
    Light,
}

impl Theme {
    /// The theme of a piece of the window.
    pub fn of(ui: &Ui) -> Self {
        if ui.visuals().dark_mode { Self::Dark } else { Self::Light }
    }

    /// The other theme.
    pub fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }

    /// The colours of the theme.
    pub fn tokens(self) -> &'static Tokens {
        match self {
            Self::Dark => &DARK,
            Self::Light => &LIGHT,
        }
    }

    fn egui(self) -> egui::Theme {
        match self {
            Self::Dark => egui::Theme::Dark,
            Self::Light => egui::Theme::Light,
        }
    }
}

/// The colours of one theme. The names are those of the design.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Ground of the window.
    #[serde(deserialize_with = "colour")]
    pub bg0: Color32,
    /// Ground of a panel.
    #[serde(deserialize_with = "colour")]
    pub bg1: Color32,
    /// A control at rest.
    #[serde(deserialize_with = "colour")]
    pub bg2: Color32,
    /// A control under the pointer.
    #[serde(deserialize_with = "colour")]
    pub bg3: Color32,
    /// A pressed control; the track of a bar.
    #[serde(deserialize_with = "colour")]
    pub bg4: Color32,
    /// A divider.
    #[serde(deserialize_with = "colour")]
    pub line: Color32,
    /// The edge of a control.
    #[serde(deserialize_with = "colour")]
    pub line2: Color32,
    /// Text.
    #[serde(deserialize_with = "colour")]
    pub t1: Color32,
    /// Secondary text.
    #[serde(deserialize_with = "colour")]
    pub t2: Color32,
    /// A note.
    #[serde(deserialize_with = "colour")]
    pub t3: Color32,
    /// What cannot be used now.
    #[serde(deserialize_with = "colour")]
    pub tdis: Color32,
    /// The accent.
    #[serde(deserialize_with = "colour")]
    pub acc: Color32,
    /// An icon on a selection.
    #[serde(deserialize_with = "colour")]
    pub acc2: Color32,
    /// The ground of a selection.
    #[serde(deserialize_with = "colour")]
    pub accbg: Color32,
    /// Text on the accent.
    #[serde(deserialize_with = "colour")]
    pub accon: Color32,
    /// The ring of the keyboard's focus.
    #[serde(deserialize_with = "colour")]
    pub focus: Color32,
    /// A limit, or something synthetic.
    #[serde(deserialize_with = "colour")]
    pub warn: Color32,
    /// Ground of a warning.
    #[serde(deserialize_with = "colour")]
    pub warnbg: Color32,
    /// A conflict or a failure.
    #[serde(deserialize_with = "colour")]
    pub err: Color32,
    /// Ground of an error.
    #[serde(deserialize_with = "colour")]
    pub errbg: Color32,
    /// Small marks that something is well.
    #[serde(deserialize_with = "colour")]
    pub ok: Color32,
    /// Ground of such a mark.
    #[serde(deserialize_with = "colour")]
    pub okbg: Color32,
    /// Shadow under popups; the only colour that is not opaque.
    #[serde(deserialize_with = "colour")]
    pub shadow: Color32,
    /// Ground of an image.
    #[serde(deserialize_with = "colour")]
    pub void: Color32,
    /// Outline of text and halo of lines on pixels.
    #[serde(deserialize_with = "colour")]
    pub halo: Color32,
    /// Text and the reader's own marks on pixels.
    #[serde(deserialize_with = "colour")]
    pub ov: Color32,
    /// Second line of text on pixels.
    #[serde(deserialize_with = "colour")]
    pub ov2: Color32,
    /// Accent on pixels: boxes of a model, reference lines.
    #[serde(deserialize_with = "colour")]
    pub ovacc: Color32,
    /// The mark of computed pixels.
    #[serde(deserialize_with = "colour")]
    pub synthetic: Color32,
    /// Track of the scroll bar at the side of an image.
    #[serde(deserialize_with = "colour")]
    pub ovtrack: Color32,
    /// Thumb of that bar.
    #[serde(deserialize_with = "colour")]
    pub ovthumb: Color32,
    /// Maps over an image, from the weakest place that is drawn to the strongest, the same in both themes.
    #[serde(deserialize_with = "colours")]
    pub heat: [Color32; 4],
    /// Colours of masks, told apart under the three kinds of colour blindness.
    #[serde(deserialize_with = "colours")]
    pub masks: [Color32; 12],
}

impl Tokens {
    /// The colour of mask `index`; after twelve they start again.
    pub fn mask(&self, index: usize) -> Color32 {
        self.masks[index % self.masks.len()]
    }

    /// The colour for the right side of a pair whose left side has [`Tokens::mask`]: the same hue, OKLab lightness less 0.1.
    pub fn mask_right(&self, index: usize) -> Color32 {
        darker(self.mask(index), 0.1)
    }
}

/// The colour of a mask as the core names it.
#[expect(clippy::disallowed_methods, reason = "mask colours are data of the study, not of the theme")]
#[must_use]
pub fn rgb(colour: lightbox_core::Rgb) -> Color32 {
    Color32::from_rgb(colour.0[0], colour.0[1], colour.0[2])
}

/// The colours of the theme in which `ui` is drawn.
pub fn tokens(ui: &Ui) -> &'static Tokens {
    Theme::of(ui).tokens()
}

/// Give the window its theme: colours, spacing, sizes of text and motion of everything that egui draws itself.
/// Call it once at the start, after [`crate::fonts::install`], and again to change the theme.
pub fn apply(ctx: &Context, theme: Theme) {
    for each in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(each.egui(), style::style(each));
    }
    ctx.set_theme(theme.egui());
}

/// The style of a theme, for a piece of the window that is drawn in another theme than the rest (`ui.set_style`).
pub fn style(theme: Theme) -> egui::Style {
    style::style(theme)
}

static DARK: LazyLock<Tokens> = LazyLock::new(|| parse(include_str!("../../../assets/themes/dark.ron")));
static LIGHT: LazyLock<Tokens> = LazyLock::new(|| parse(include_str!("../../../assets/themes/light.ron")));

fn parse(text: &str) -> Tokens {
    ron::from_str(text).expect("the compiled-in themes are parsed by a test")
}

fn colour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color32, D::Error> {
    hex(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn colours<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[Color32; N], D::Error> {
    // RON writes a fixed array as a tuple; a list with a checked length reads better in the file.
    let texts = Vec::<String>::deserialize(deserializer)?;
    let mut all = [Color32::TRANSPARENT; N];
    if texts.len() != all.len() {
        return Err(D::Error::invalid_length(texts.len(), &format!("{N} colours").as_str()));
    }
    for (colour, text) in all.iter_mut().zip(&texts) {
        *colour = hex(text).map_err(D::Error::custom)?;
    }
    Ok(all)
}

#[expect(clippy::disallowed_methods, reason = "this is where a token becomes a colour")]
fn hex(text: &str) -> Result<Color32, String> {
    Color32::from_hex(text).map_err(|e| format!("{text:?} is not a colour: {e:?}"))
}

/// The same hue and chroma with an OKLab lightness less by `step`.
#[expect(clippy::disallowed_methods, reason = "this is where a token becomes a colour")]
fn darker(colour: Color32, step: f32) -> Color32 {
    let linear = |v: u8| {
        let v = f32::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    let byte = |v: f32| {
        let v = v.clamp(0.0, 1.0);
        let gamma = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (gamma * 255.0).round() as u8
    };
    // https://bottosson.github.io/posts/oklab
    let [r, g, b] = [colour.r(), colour.g(), colour.b()].map(linear);
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    let light = 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s - step;
    let a = 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s;
    let bb = 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s;
    let l = (light + 0.396_337_78 * a + 0.215_803_76 * bb).powi(3);
    let m = (light - 0.105_561_346 * a - 0.063_854_17 * bb).powi(3);
    let s = (light - 0.089_484_18 * a - 1.291_485_5 * bb).powi(3);
    Color32::from_rgb(
        byte(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
        byte(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s),
        byte(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
    )
}
