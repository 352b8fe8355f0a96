use egui::{
    Color32, ColorImage, Mesh, Pos2, Rect, Shape, TextureOptions, Ui,
    epaint::{ImageDelta, Primitive, Vertex, WHITE_UV},
    pos2, vec2,
};
use image::RgbaImage;

use super::{Backend, Frames, OffscreenError, Scene};
use crate::{theme::Theme, widgets::gallery};

fn draw(width_px: u32, height_px: u32, pixels_per_point: f32, scene: &mut impl Scene) -> RgbaImage {
    let mut frames = Frames::new(width_px, height_px, pixels_per_point, Theme::Dark, Backend::Cpu).unwrap();
    frames.settle(4, scene);
    frames.paint().unwrap()
}

fn mesh(corners: &[Pos2], colour: Color32) -> Mesh {
    let mut mesh = Mesh::default();
    for &pos in corners {
        mesh.vertices.push(Vertex { pos, uv: WHITE_UV, color: colour });
    }
    mesh
}

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

#[test]
fn a_fan_of_triangles_covers_each_pixel_once() {
    let colour = Theme::Dark.tokens().acc.gamma_multiply(0.5);
    let ground = Theme::Dark.tokens().bg0.to_array();
    let mut numbers = Numbers(7);
    for _ in 0..20 {
        let hub = pos2(20.0 + 24.0 * numbers.next(), 20.0 + 24.0 * numbers.next());
        // A fan around a random hub, out to the edges of a square.
        let mut corners = vec![hub];
        for (x, y) in [(0.0, 0.0), (64.0, 0.0), (64.0, 64.0), (0.0, 64.0)] {
            corners.push(pos2(x, y));
            let along = 64.0 * numbers.next();
            corners.push(match (x, y) {
                (0.0, 0.0) => pos2(along, 0.0),
                (64.0, 0.0) => pos2(64.0, along),
                (64.0, 64.0) => pos2(64.0 - along, 64.0),
                _ => pos2(0.0, 64.0 - along),
            });
        }
        let mut fan = mesh(&corners, colour);
        for i in 1..=8u32 {
            // Both windings: neither may be culled.
            if i % 2 == 0 { fan.add_triangle(0, i, i % 8 + 1) } else { fan.add_triangle(0, i % 8 + 1, i) }
        }
        let picture = draw(64, 64, 1.0, &mut |ui: &mut Ui| {
            ui.painter().add(Shape::mesh(fan.clone()));
        });
        let first = *picture.get_pixel(0, 0);
        assert_ne!(first.0, ground);
        for (x, y, pixel) in picture.enumerate_pixels() {
            assert_eq!(*pixel, first, "pixel {x}, {y} was painted never or twice; hub {hub:?}");
        }
    }
}

#[test]
fn a_rectangle_covers_the_pixels_whose_centres_it_holds() {
    let colour = Theme::Dark.tokens().acc;
    let picture = draw(16, 16, 1.0, &mut |ui: &mut Ui| {
        let mut shape = Mesh::default();
        shape.add_colored_rect(Rect::from_min_max(pos2(2.5, 3.0), pos2(7.5, 6.49)), colour);
        ui.painter().add(Shape::mesh(shape));
    });
    for (x, y, pixel) in picture.enumerate_pixels() {
        // A centre on the left edge is in, on the right edge out: columns 2 to 6; rows 3 to 5.
        let inside = (2..7).contains(&x) && (3..6).contains(&y);
        assert_eq!(pixel.0 == colour.to_array(), inside, "pixel {x}, {y}");
    }
}

#[test]
fn nothing_is_painted_outside_a_clip() {
    let colour = Theme::Dark.tokens().acc;
    let picture = draw(16, 16, 2.0, &mut |ui: &mut Ui| {
        let painter = ui.painter().with_clip_rect(Rect::from_min_max(pos2(1.0, 1.0), pos2(3.0, 4.0)));
        painter.rect_filled(Rect::EVERYTHING, 0, colour);
    });
    for (x, y, pixel) in picture.enumerate_pixels() {
        let inside = (2..6).contains(&x) && (2..8).contains(&y);
        assert_eq!(pixel.0 == colour.to_array(), inside, "pixel {x}, {y}");
    }
}

#[test]
fn blending_is_premultiplied_in_gamma_space() {
    let tokens = Theme::Dark.tokens();
    let over = tokens.acc.gamma_multiply(0.25);
    let picture = draw(4, 4, 1.0, &mut |ui: &mut Ui| {
        ui.painter().rect_filled(Rect::EVERYTHING, 0, tokens.err);
        ui.painter().rect_filled(Rect::EVERYTHING, 0, over);
    });
    let rest = 1.0 - f32::from(over.a()) / 255.0;
    for (channel, byte) in picture.get_pixel(1, 1).0.into_iter().enumerate() {
        let wanted = f32::from(over.to_array()[channel]) + f32::from(tokens.err.to_array()[channel]) * rest;
        assert!((f32::from(byte) - wanted).abs() <= 0.51, "channel {channel}: {byte}, not {wanted}");
    }
}

/// A checkerboard of two colours, drawn four times its size.
fn checkers(options: TextureOptions) -> (RgbaImage, [Color32; 2]) {
    let colours = [Theme::Dark.tokens().acc, Theme::Dark.tokens().void];
    let pixels = (0..16).map(|i| colours[(i % 4 + i / 4) % 2]).collect();
    let image = ColorImage::new([4, 4], pixels);
    let mut texture = None;
    let picture = draw(16, 16, 1.0, &mut |ui: &mut Ui| {
        let texture = texture.get_or_insert_with(|| ui.ctx().load_texture("checkers", image.clone(), options));
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let square = Rect::from_min_size(Pos2::ZERO, vec2(16.0, 16.0));
        ui.painter().image(texture.id(), square, uv, Color32::WHITE);
    });
    (picture, colours)
}

#[test]
fn nearest_filtering_keeps_texels_square() {
    let (picture, colours) = checkers(TextureOptions::NEAREST);
    for (x, y, pixel) in picture.enumerate_pixels() {
        assert_eq!(pixel.0, colours[((x / 4 + y / 4) % 2) as usize].to_array(), "pixel {x}, {y}");
    }
}

#[test]
fn linear_filtering_goes_from_one_texel_to_the_next() {
    let (picture, colours) = checkers(TextureOptions::LINEAR);
    // Row 1 lies 1/8 of a texel above the centre of the first row of texels, which the edge repeats.
    let row: Vec<u8> = (1..7).map(|x| picture.get_pixel(x, 1).0[2]).collect();
    assert!(row.windows(2).all(|pair| pair[0] >= pair[1]), "{row:?}");
    let light = f32::from(colours[0].b());
    assert_eq!(picture.get_pixel(0, 0).0, colours[0].to_array());
    // Pixel 2 is at texel 0.625, one eighth past the centre of texel 0.
    assert!((f32::from(picture.get_pixel(2, 0).0[2]) - light * 7.0 / 8.0).abs() <= 1.0, "{row:?}");
}

#[test]
fn a_part_of_a_texture_is_replaced_in_place() {
    let [first, second] = [Theme::Dark.tokens().acc, Theme::Dark.tokens().err];
    let mut painter = super::cpu::Painter::default();
    let id = egui::TextureId::User(1);
    painter.set(id, &ImageDelta::full(ColorImage::filled([4, 4], first), TextureOptions::NEAREST));
    painter.set(id, &ImageDelta::partial([1, 2], ColorImage::filled([2, 1], second), TextureOptions::NEAREST));
    let mut mesh = Mesh::with_texture(id);
    let square = Rect::from_min_size(Pos2::ZERO, vec2(4.0, 4.0));
    mesh.add_rect_with_uv(square, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), Color32::WHITE);
    let job = egui::ClippedPrimitive { clip_rect: square, primitive: Primitive::Mesh(mesh) };
    let picture = painter.paint(&[job], [4, 4], 1.0, Color32::TRANSPARENT);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let wanted = if (1..3).contains(&x) && y == 2 { second } else { first };
        assert_eq!(pixel.0, wanted.to_array(), "pixel {x}, {y}");
    }
}

#[test]
fn a_size_of_nothing_is_refused() {
    let empty = Frames::new(0, 10, 1.0, Theme::Dark, Backend::Cpu);
    assert!(matches!(empty, Err(OffscreenError::Size { width_px: 0, height_px: 10 })));
}

#[test]
fn logic_runs_before_the_picture_and_input_arrives() {
    #[derive(Default)]
    struct Counter {
        logic: usize,
        drawn: Vec<usize>,
        keys: usize,
    }
    impl Scene for Counter {
        fn logic(&mut self, _: &egui::Context) {
            self.logic += 1;
        }
        fn ui(&mut self, ui: &mut Ui) {
            self.drawn.push(self.logic);
            self.keys += ui.input(|i| i.num_presses(egui::Key::N));
        }
    }
    let mut frames = Frames::new(32, 32, 1.0, Theme::Light, Backend::Cpu).unwrap();
    let mut counter = Counter::default();
    frames.step(&mut counter);
    let modifiers = egui::Modifiers::NONE;
    let key = |pressed| egui::Event::Key { key: egui::Key::N, physical_key: None, pressed, repeat: false, modifiers };
    frames.input.events.extend([key(true), key(false)]);
    frames.step(&mut counter);
    frames.step(&mut counter);
    assert_eq!(counter.drawn, [1, 2, 3]);
    assert_eq!(counter.keys, 1, "the key is pressed once, and forgotten after its frame");
    assert_eq!(frames.paint().unwrap().get_pixel(3, 3).0, Theme::Light.tokens().bg0.to_array());
}

/// The size in which the gallery is looked at.
const GALLERY_PX: [u32; 2] = [720, 1640];

fn paint_gallery(theme: Theme, pixels_per_point: f32, backend: Backend) -> Result<RgbaImage, OffscreenError> {
    let [width_px, height_px] = GALLERY_PX.map(|side| (side as f32 * pixels_per_point) as u32);
    let mut frames = Frames::new(width_px, height_px, pixels_per_point, theme, backend)?;
    frames.settle(8, &mut |ui: &mut Ui| gallery(ui));
    frames.paint()
}

#[test]
fn both_painters_agree_on_the_gallery() {
    for (theme, pixels_per_point) in [(Theme::Dark, 1.0), (Theme::Light, 1.0), (Theme::Dark, 1.5)] {
        let adapter = match paint_gallery(theme, pixels_per_point, Backend::Wgpu) {
            Ok(picture) => picture,
            Err(OffscreenError::NoAdapter(reason)) => {
                println!("skipped: {reason}");
                return;
            }
            Err(other) => panic!("{other}"),
        };
        let own = paint_gallery(theme, pixels_per_point, Backend::Cpu).unwrap();
        let (mut sum, mut far) = (0u64, 0);
        for (a, b) in adapter.pixels().zip(own.pixels()) {
            let most = a.0.into_iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
            sum += u64::from(most);
            far += usize::from(most > 16);
        }
        let mean = sum as f64 / f64::from(adapter.width() * adapter.height());
        println!("{theme:?} at {pixels_per_point}: mean difference {mean:.4}, {far} pixels above 16");
        if mean > 0.05 || far > 10 {
            for (name, picture) in [("adapter", &adapter), ("own", &own)] {
                let path = std::env::temp_dir().join(format!("gallery-{theme:?}-{name}.png"));
                picture.save(&path).unwrap();
                println!("see {}", path.display());
            }
            panic!("the painters differ");
        }
    }
}

/// For the eye: `cargo test -p lightbox-gui gallery_for_the_eye -- --ignored` writes the pictures.
#[test]
#[ignore = "writes pictures to be looked at"]
fn gallery_for_the_eye() {
    for theme in [Theme::Dark, Theme::Light] {
        for pixels_per_point in [1.0, 2.0] {
            let path = std::env::temp_dir().join(format!("gallery-{theme:?}-{pixels_per_point}.png"));
            paint_gallery(theme, pixels_per_point, Backend::Cpu).unwrap().save(&path).unwrap();
            println!("{}", path.display());
        }
    }
}
