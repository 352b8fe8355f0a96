//! The tokens as egui's own style, for what egui draws by itself: popups, text edits, scroll bars, menus.

use egui::{
    Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Visuals,
    epaint::Shadow,
    style::{HandleShape, ScrollAnimation, ScrollStyle, TextCursorStyle, WidgetVisuals},
    vec2,
};

use super::{Theme, size};
use crate::fonts::{self, Weight};

/// Everything of egui's style that the design speaks of.
pub(super) fn style(theme: Theme) -> Style {
    let mut style = Style { visuals: visuals(theme), ..Style::default() };

    style.text_styles = [
        (TextStyle::Small, fonts::font(size::TEXT[0], Weight::Regular)),
        (TextStyle::Monospace, FontId::new(size::TEXT[1], FontFamily::Monospace)),
        (TextStyle::Body, fonts::font(size::TEXT[2], Weight::Regular)),
        (TextStyle::Button, fonts::font(size::TEXT[2], Weight::Medium)),
        (TextStyle::Heading, fonts::font(size::TEXT[3], Weight::SemiBold)),
        (fonts::table_style(), fonts::font(size::TEXT[1], Weight::Regular)),
        (fonts::title_style(), fonts::font(size::TEXT[4], Weight::SemiBold)),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Body;

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(8.0, 4.0);
    spacing.window_margin = Margin::same(12);
    spacing.button_padding = vec2(12.0, 4.0);
    spacing.menu_margin = Margin::same(4);
    spacing.indent = 16.0;
    spacing.interact_size = vec2(size::CONTROL, size::CONTROL);
    spacing.slider_width = 96.0;
    spacing.slider_rail_height = 2.0;
    spacing.combo_width = 96.0;
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 8.0;
    spacing.icon_spacing = 8.0;
    spacing.tooltip_width = 240.0;
    spacing.menu_width = 320.0;
    spacing.menu_spacing = 4.0;
    spacing.combo_height = 320.0;
    spacing.scroll = ScrollStyle {
        bar_width: 8.0,
        handle_min_length: 24.0,
        floating_width: 4.0,
        foreground_color: false,
        dormant_handle_opacity: 1.0,
        active_handle_opacity: 1.0,
        interact_handle_opacity: 1.0,
        dormant_background_opacity: 0.0,
        active_background_opacity: 0.0,
        interact_background_opacity: 0.0,
        ..ScrollStyle::floating()
    };
    // A gradient over the last rows would be one more thing to read through.
    spacing.scroll.fade.strength = 0.0;

    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = false;
    style.interaction.interact_radius = 2.0;
    style.animation_time = 0.08;
    style.scroll_animation = ScrollAnimation::none();
    style
}

fn visuals(theme: Theme) -> Visuals {
    let t = theme.tokens();
    let mut v = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    v.text_options.font_hinting = true;
    v.override_text_color = None;
    v.weak_text_color = Some(t.t2);
    v.hyperlink_color = t.acc;
    v.faint_bg_color = t.bg2;
    v.extreme_bg_color = t.bg2;
    v.text_edit_bg_color = Some(t.bg2);
    v.code_bg_color = t.bg3;
    v.warn_fg_color = t.warn;
    v.error_fg_color = t.err;
    v.window_fill = t.bg2;
    v.window_stroke = Stroke::new(1.0, t.line2);
    v.window_corner_radius = CornerRadius::same(size::RADIUS_CARD);
    v.menu_corner_radius = CornerRadius::same(size::RADIUS_CARD);
    v.window_shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: t.shadow };
    v.popup_shadow = Shadow { offset: [0, 4], blur: 12, spread: 0, color: t.shadow };
    v.window_highlight_topmost = false;
    v.panel_fill = t.bg1;
    v.button_frame = true;
    v.collapsing_header_frame = false;
    v.indent_has_left_vline = false;
    v.striped = false;
    v.slider_trailing_fill = true;
    v.handle_shape = HandleShape::Circle;
    v.interact_cursor = None;
    v.image_loading_spinners = false;
    v.text_cursor = TextCursorStyle { stroke: Stroke::new(1.0, t.t1), ..TextCursorStyle::default() };
    v.selection.bg_fill = t.accbg;
    v.selection.stroke = Stroke::new(1.0, t.acc2);
    v.ime_composition.active_underline_stroke = Stroke::new(2.0, t.acc);
    v.ime_composition.inactive_underline_stroke = Stroke::new(1.0, t.line2);

    let widget = |fill: Color32, edge: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: if edge == Color32::TRANSPARENT { Stroke::NONE } else { Stroke::new(1.0, edge) },
        corner_radius: CornerRadius::same(size::RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    v.widgets.noninteractive = widget(t.bg1, t.line, t.t1);
    v.widgets.inactive = widget(t.bg2, Color32::TRANSPARENT, t.t1);
    v.widgets.hovered = widget(t.bg3, Color32::TRANSPARENT, t.t1);
    v.widgets.active = widget(t.bg4, Color32::TRANSPARENT, t.t1);
    v.widgets.open = widget(t.bg3, Color32::TRANSPARENT, t.t1);
    // The handle of a scroll bar is drawn with these fills, and must be seen at rest.
    v.widgets.inactive.bg_fill = t.bg4;
    v.widgets.hovered.bg_fill = t.line2;
    v.widgets.active.bg_fill = t.line2;
    v
}
