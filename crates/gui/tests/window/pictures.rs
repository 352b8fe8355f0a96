//! A few small pictures of parts of the window, compared with those in `tests/snapshots`.
//!
//! They show made-up things, so that they change with the window's looks alone. After a wanted change,
//! `LIGHTBOX_BLESS=1 cargo test -p lightbox-gui --test window pictures` writes them anew: look at each before it is
//! committed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Context, Ui};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageEncoder as _, RgbaImage};
use lightbox_core::{Frame, Mask, PatientPos, Rescale, Samples, Window};
use lightbox_gui::cx::{Cx, Out, Room, UiState};
use lightbox_gui::offscreen::{Backend, Frames, OffscreenError, Scene};
use lightbox_gui::textures::Textures;
use lightbox_gui::theme::Theme;
use lightbox_gui::views::ViewsState;
use lightbox_gui::{panels, views};
use lightbox_session::annotation::AnnotationKind;
use lightbox_session::report::{ChipKind, Sentence, SentenceState, SourceChip};
use lightbox_session::workspace::{PanelTab, StudyListMode, ThemeChoice, Tool};
use lightbox_session::{Command, LoadState, Session};

use crate::desk::scratch;
use crate::made_up;

/// A part of the window by itself.
struct Part {
    session: Session,
    draw: fn(&mut Ui, &Cx<'_>, &Textures, &mut ViewsState, &mut Out),
    ui: UiState,
    views: ViewsState,
    textures: Textures,
}

impl Scene for Part {
    fn logic(&mut self, ctx: &Context) {
        for (view, shrink) in self.textures.views.iter_mut().zip(self.views.shrink) {
            view.wanted_shrink = shrink;
        }
        self.textures.update(ctx, &self.session, false);
    }

    fn ui(&mut self, ui: &mut Ui) {
        let theme = theme(&self.session);
        let width_pt = ui.max_rect().width();
        let cx = Cx {
            session: &self.session,
            tokens: theme.tokens(),
            ui: &self.ui,
            thumbnails: &self.textures.thumbnail_ids,
            room: Room { width_pt, studies: StudyListMode::Full, find_is_icon: true, few_options: true },
            device: "CPU, 2 cores",
            memory_bytes: [0, 0],
            clock: "",
        };
        ui.painter().rect_filled(ui.max_rect(), 0, cx.tokens.bg1);
        (self.draw)(ui, &cx, &self.textures, &mut self.views, &mut Out::default());
    }
}

fn theme(s: &Session) -> Theme {
    if s.workspace.theme == ThemeChoice::Dark { Theme::Dark } else { Theme::Light }
}

/// Draws a part until it is at rest.
fn drawn(
    session: Session,
    draw: fn(&mut Ui, &Cx<'_>, &Textures, &mut ViewsState, &mut Out),
    [width, height]: [u32; 2],
    backend: Backend,
) -> Result<RgbaImage, OffscreenError> {
    let mut frames = Frames::new(width, height, 1.0, theme(&session), backend)?;
    let (ui, views, textures) = (UiState::default(), ViewsState::default(), Textures::default());
    let mut part = Part { session, draw, ui, views, textures };
    assert!(frames.settle(60, &mut part) < 60, "it comes to rest");
    frames.paint()
}

fn start() -> Session {
    let mut s = Session::default();
    s.models = made_up::models();
    s.tell(
        lightbox_session::problem::Severity::Error,
        lightbox_session::problem::ProblemPlace::Open,
        "No image found.",
        "There is no file in it.",
    );
    s.recovery = Some(lightbox_session::journal::Recovery { gestures: 3, ..Default::default() });
    s
}

/// An X-ray of few pixels with a proposed mask, an accepted one, and a measurement of each kind.
fn view() -> Session {
    let (mut s, stacks) = made_up::session();
    made_up::show(&mut s, stacks.xray);
    let open = s.library.stack_mut(stacks.xray).expect("open");
    let [columns, rows, _] = open.geometry().dims();
    // Nine steps to the right, a disc on them.
    let value = |i: usize| {
        let (x, y) = ((i % columns) as f64 / columns as f64, (i / columns) as f64 / rows as f64);
        let disc = if (x - 0.5).hypot(y - 0.5) < 0.3 { 600 } else { 0 };
        (x * 9.0).floor() as u16 * 350 + disc
    };
    let pixels = (0..columns * rows).map(value).collect();
    let frame = Frame::new(columns, rows, Samples::U16(pixels), Rescale::default()).expect("as large as it says");
    open.volume.set_slice(0, Arc::new(frame)).expect("it fits");
    open.revision += 1;
    open.load = LoadState::Loaded;
    s.apply(Command::SetWindow { slot: None, window: Window::new(3600.0, 1800.0) });
    for (n, name) in ["Right lung", "Left lung"].into_iter().enumerate() {
        s.apply(Command::AddSegment { name: Some(name.into()) });
        let document = s.documents.get_mut(&stacks.xray).expect("just drawn on");
        let id = document.segments[n].id;
        let mut mask = Mask::new([columns, rows, 1]);
        for y in rows / 5..rows / 2 {
            (0..columns / 4).for_each(|x| mask.set([columns / 8 + n * columns / 2 + x, y, 0], true));
        }
        document.segments[n].mask = mask;
        document.revision += 1;
        if n == 1 {
            document.proposed.insert(id);
        }
    }
    let mm = 0.33 * columns as f64;
    let p = |x: f64, y: f64| PatientPos::new(x * mm, y * mm, 0.0);
    for (kind, points) in [
        (AnnotationKind::Length, vec![p(0.1, 0.6), p(0.4, 0.7)]),
        (AnnotationKind::Angle, vec![p(0.5, 0.6), p(0.6, 0.85), p(0.75, 0.7)]),
        (AnnotationKind::Ellipse, vec![p(0.42, 0.2), p(0.58, 0.32)]),
    ] {
        s.apply(Command::AddAnnotation { slot: None, kind, points });
    }
    s.apply(Command::SetTool(Tool::Length));
    s
}

fn with_tab(tab: PanelTab, theme: ThemeChoice) -> Session {
    let (mut s, stacks) = made_up::with_lungs();
    if tab == PanelTab::Masks {
        let first = s.document(stacks.xray).expect("found").segments[0].id;
        s.apply(Command::AcceptSegment(first));
    }
    s.workspace.panel = Some(tab);
    s.workspace.theme = theme;
    s
}

/// A report with a sentence in each state, in words of this test.
fn report() -> Session {
    let mut s = with_tab(PanelTab::Report, ThemeChoice::Dark);
    let insert = Command::InsertSentence { section: 1, sentence: 0, text: "No effusion.".into(), study: None };
    s.apply(insert);
    let report = s.reports.values_mut().next().expect("just begun");
    let sentence = |id, text: &str, kind, label: &str, state| Sentence {
        id,
        text: text.into(),
        sources: vec![SourceChip { kind, label: label.into() }],
        finding_ids: Vec::new(),
        state,
        proposed_text: None,
        replaces: None,
    };
    let sections = &mut report.document.sections;
    sections[0].sentences.push(sentence(90, "Radiograph.", ChipKind::Header, "Header", SentenceState::Accepted));
    let lungs = "Right lung 54 % and left lung 46 % of the lung area.";
    sections[1].sentences.push(sentence(91, lungs, ChipKind::Model, "cxr-lungs, unconfirmed", SentenceState::Proposed));
    let width = "Inner width of the thorax 275 mm, at the detector.";
    sections[1].sentences.push(sentence(92, width, ChipKind::Measurement, "275 mm", SentenceState::Edited));
    s
}

type Draw = fn(&mut Ui, &Cx<'_>, &Textures, &mut ViewsState, &mut Out);

/// The pictures: name, state, what is drawn of it, size in pixels.
fn pictures() -> Vec<(&'static str, Session, Draw, [u32; 2])> {
    let start_screen: Draw = |ui, cx, _, _, out| panels::start::show(ui, cx, out);
    let viewports: Draw = |ui, cx, textures, state, out| views::show(ui, cx, textures, state, out);
    let panel: Draw = |ui, cx, _, _, out| panels::right::show(ui, cx, out);
    vec![
        ("start", start(), start_screen, [800, 450]),
        ("viewport", view(), viewports, [480, 320]),
        ("panel-ai", with_tab(PanelTab::Ai, ThemeChoice::Dark), panel, [320, 320]),
        ("panel-masks", with_tab(PanelTab::Masks, ThemeChoice::Light), panel, [320, 420]),
        ("panel-report", report(), panel, [384, 400]),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// A channel may be off by this: other versions of the system's mathematics round otherwise.
const CHANNEL: u8 = 4;

/// Where two pictures of a size differ by more than [`CHANNEL`]; `None` where their sizes do.
fn difference(a: &RgbaImage, b: &RgbaImage) -> Option<BTreeSet<(u32, u32)>> {
    let far = |p: &image::Rgba<u8>, q: &image::Rgba<u8>| p.0.iter().zip(q.0).any(|(p, q)| p.abs_diff(q) > CHANNEL);
    (a.dimensions() == b.dimensions()).then(|| {
        let all = a.enumerate_pixels().zip(b.pixels());
        all.filter(|((_, _, p), q)| far(p, q)).map(|((x, y, _), _)| (x, y)).collect()
    })
}

/// The picture as small a file as it can be.
fn write(path: &Path, picture: &RgbaImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
    // The window is opaque.
    assert!(picture.pixels().all(|p| p.0[3] == 255));
    let opaque = image::DynamicImage::ImageRgba8(picture.clone()).to_rgb8();
    encoder.write_image(&opaque, opaque.width(), opaque.height(), image::ExtendedColorType::Rgb8).unwrap();
}

#[test]
fn the_window_looks_as_it_did() {
    let bless = std::env::var_os("LIGHTBOX_BLESS").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for (name, session, draw, size) in pictures() {
        let now = drawn(session, draw, size, Backend::Cpu).unwrap();
        let kept = folder().join(format!("{name}.png"));
        known.insert(kept.clone());
        let before = image::open(&kept).ok().map(|p| p.to_rgba8());
        let differ = before.as_ref().and_then(|before| difference(before, &now));
        if differ.as_ref().is_some_and(BTreeSet::is_empty) {
            continue;
        }
        if bless {
            write(&kept, &now);
            println!("written: {}", kept.display());
            continue;
        }
        let [new, diff] = ["new", "diff"].map(|what| scratch().join(format!("{name}.{what}.png")));
        write(&new, &now);
        let told = match differ {
            None => format!("{name} is missing or of another size; as it is now: {}", new.display()),
            Some(differ) => {
                // What changed in the colour of an error, on what is now, dimmed.
                let mark = Theme::Dark.tokens().err.to_array();
                let shown = RgbaImage::from_fn(now.width(), now.height(), |x, y| {
                    let [r, g, b, _] = now.get_pixel(x, y).0;
                    let dimmed = [r / 4, g / 4, b / 4, 255];
                    image::Rgba(if differ.contains(&(x, y)) { mark } else { dimmed })
                });
                write(&diff, &shown);
                format!("{name}: {} pixels differ; see {} and {}", differ.len(), new.display(), diff.display())
            }
        };
        wrong.push(told);
    }
    assert!(wrong.is_empty(), "{wrong:#?}\nIf this is wanted, LIGHTBOX_BLESS=1 writes the pictures anew.");
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        assert!(known.contains(&path), "{} is a picture of nothing", path.display());
    }
}

#[test]
fn the_adapter_and_the_processor_draw_a_viewport_alike() {
    let (_, session, draw, size) = pictures().swap_remove(1);
    let adapter = match drawn(session.clone(), draw, size, Backend::Wgpu) {
        Ok(picture) => picture,
        Err(OffscreenError::NoAdapter(why)) => {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI=true needs an adapter: {why}");
            println!("left out, since wgpu finds no adapter: {why}");
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let own = drawn(session, draw, size, Backend::Cpu).unwrap();
    let (mut sum, mut far, mut most) = (0u64, 0, 0);
    for (a, b) in adapter.pixels().zip(own.pixels()) {
        let worst = a.0.into_iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
        sum += u64::from(worst);
        far += usize::from(worst > 16);
        most = most.max(worst);
    }
    let mean = sum as f64 / f64::from(size[0] * size[1]);
    println!("mean difference {mean:.4} of 255, {far} pixels above 16, at most {most}");
    // The image is filtered: an adapter weighs its texels with 8 bits. Edges of triangles may fall on either pixel.
    if mean > MEAN || far > FAR {
        let paths = ["adapter", "own"].map(|who| scratch().join(format!("viewport-{who}.png")));
        write(&paths[0], &adapter);
        write(&paths[1], &own);
        panic!("the painters differ: mean {mean:.4}, {far} pixels above 16; see {paths:?}");
    }
}

/// How far the painters may be apart on average, of 255, and how many pixels may be more than 16 apart.
const MEAN: f64 = 0.3;
const FAR: usize = 20;
