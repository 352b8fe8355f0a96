//! Masks through DICOM SEG and back, exact in patient space.
//!
//! With `LIGHTBOX_SEG_CASES=DIR` sources, masks and truth are left in `DIR` for `tests/python/check_seg.py`, which reads
//! them with pydicom and highdicom.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod series;
mod truth;

use std::io::Write;
use std::path::{Path, PathBuf};

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use glam::DVec3;
use lightbox_core::label::{Code, MASK_COLOURS, Mask, MaskOrigin};
use lightbox_core::{Segment, SegmentId, VoxelPos};
use lightbox_dicom::seg::{self, SegError, SegKind, SegReference};
use lightbox_dicom::{Source, Stack};
use series::{Lattice, lattices, put, stack, uid, write_ct, write_multi_frame};

/// Where the cases lie: a folder that is kept where one is named, else one that goes away.
struct Cases {
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Cases {
    fn new() -> Self {
        match std::env::var_os("LIGHTBOX_SEG_CASES") {
            Some(dir) => Self { root: PathBuf::from(dir), _temporary: None },
            None => {
                let dir = tempfile::tempdir().expect("a folder");
                Self { root: dir.path().to_path_buf(), _temporary: Some(dir) }
            }
        }
    }

    /// An empty folder for one case.
    fn folder(&self, name: &str) -> PathBuf {
        let dir = self.root.join(name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        dir
    }
}

/// A mask of scattered and clustered pixels, repeatable; `share` of 256 pixels are set.
fn scattered(dims: [usize; 3], seed: u64, share: u64, slices: impl Fn(usize) -> bool) -> Mask {
    let mut mask = Mask::new(dims);
    let mut state = seed;
    for k in 0..dims[2] {
        for r in 0..dims[1] {
            for c in 0..dims[0] {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if slices(k) && state >> 56 < share {
                    mask.set([c, r, k], true);
                }
            }
        }
    }
    // Both ends of the first row tell a flip from the truth, whatever the noise does.
    if slices(0) {
        mask.set([0, 0, 0], true);
    }
    mask
}

fn segment(id: u32, name: &str, mask: Mask) -> Segment {
    Segment {
        id: SegmentId(id),
        name: name.into(),
        colour: MASK_COLOURS[id as usize % 12],
        code: None,
        side: None,
        origin: MaskOrigin::Reader,
        edited: false,
        visible: true,
        locked: false,
        mask,
    }
}

fn model() -> MaskOrigin {
    MaskOrigin::Model { model: "cxr-lungs".into(), version: "1.0".into(), sha256: "ab".repeat(32) }
}

/// Three segments that overlap, one of them on a few slices only, one made by a model and edited.
fn three(dims: [usize; 3]) -> Vec<Segment> {
    let lung =
        |side: &str, code: &str| (Some(Code::new("39607008", "SCT", "Lung")), Some(Code::new(code, "SCT", side)));
    let mut out = vec![
        segment(1, "Right lung", scattered(dims, 11, 90, |_| true)),
        segment(2, "L\u{e4}sion \u{2116} 2", scattered(dims, 23, 60, |k| k % 3 == 0)),
        segment(3, "Left lung", scattered(dims, 37, 140, |k| k + 1 == dims[2] || k == 0)),
    ];
    (out[0].code, out[0].side) = lung("Right", "24028007");
    (out[2].code, out[2].side) = lung("Left", "7771000");
    out[0].origin = model();
    out[0].edited = true;
    out[2].origin = model();
    out
}

fn assert_same(drawn: &[Segment], back: &[Segment]) {
    assert_eq!(drawn.len(), back.len());
    for (a, b) in drawn.iter().zip(back) {
        assert_eq!((&a.name, a.colour, &a.code, &a.side), (&b.name, b.colour, &b.code, &b.side));
        assert_eq!((a.algorithm_type(), &a.origin), (b.algorithm_type(), &b.origin));
        assert_eq!(a.mask, b.mask, "{}", a.name);
    }
}

fn round_trip(dir: &Path, stack: &Stack, segments: &[Segment]) -> PathBuf {
    let path = dir.join("seg.dcm");
    let reference = SegReference::from_stack(stack).expect("DICOM");
    let saved = seg::write(&path, &reference, segments).expect("saved");
    assert_eq!((saved.segments, saved.equal), (segments.len(), segments.len()));
    let file = seg::read(&Source::file(&path)).expect("read");
    assert_eq!(file.kind, SegKind::Binary);
    assert_same(segments, &file.place_on(stack).expect("placed"));
    truth::write(dir, stack, segments);
    path
}

#[test]
fn every_lattice_comes_back_exactly() {
    let cases = Cases::new();
    for lattice in lattices() {
        let dir = cases.folder(lattice.name);
        write_ct(&dir.join("source"), lattice.name, &lattice, &uid(lattice.name, "9"));
        let stack = stack(&dir.join("source"));
        assert_eq!([stack.columns, stack.rows, stack.frames.len()], lattice.dims);
        round_trip(&dir, &stack, &three(lattice.dims));
    }
}

#[test]
fn frames_of_one_file_are_told_apart() {
    let cases = Cases::new();
    let dir = cases.folder("multi-frame");
    let dims = [10, 6, 5];
    write_multi_frame(&dir.join("source"), "multi-frame", dims);
    let stack = stack(&dir.join("source"));
    assert_eq!(stack.frames.len(), 5);
    assert!(stack.geometry.is_none());
    round_trip(&dir, &stack, &three(dims));
}

#[test]
fn images_in_an_archive_can_be_drawn_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    let files = write_ct(&dir.path().join("source"), "archive", &axial, "1.2.3.4");
    let archive = dir.path().join("study.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&archive).expect("created"));
    for path in &files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
        zip.write_all(&std::fs::read(path).expect("there")).expect("written");
    }
    zip.finish().expect("closed");
    let stack = stack(&archive);
    let segments = three(axial.dims);
    let path = dir.path().join("mask.dcm");
    seg::write(&path, &SegReference::from_stack(&stack).expect("DICOM"), &segments).expect("saved");
    assert_same(&segments, &seg::read(&Source::file(&path)).expect("read").place_on(&stack).expect("placed"));
}

#[test]
fn the_demo_study_carries_its_true_masks() {
    let cases = Cases::new();
    let demo = lightbox_dicom::phantom::write_demo_study(&cases.root.join("demo")).expect("written");
    let folder =
        |series: &lightbox_dicom::phantom::DemoSeries| series.files[0].parent().expect("a folder").to_path_buf();

    let dir = cases.folder("demo-ct");
    let stack_ct = stack(&folder(&demo.ct));
    let ct = lightbox_core::phantom::ct_thorax(lightbox_core::phantom::CtGrid::default()).expect("made");
    assert_eq!(ct.right_lung.dims(), [stack_ct.columns, stack_ct.rows, stack_ct.frames.len()]);
    let segments = [
        segment(1, "Right lung", ct.right_lung),
        segment(2, "Left lung", ct.left_lung),
        segment(3, "Nodule", ct.nodule),
    ];
    round_trip(&dir, &stack_ct, &segments);

    let dir = cases.folder("demo-xray");
    let stack_xray = stack(&folder(&demo.xray));
    let xray = lightbox_core::phantom::chest_xray().expect("made");
    let segments = [segment(1, "Right lung", xray.right_lung), segment(2, "Left lung", xray.left_lung)];
    round_trip(&dir, &stack_xray, &segments);
}

/// A lattice of the same points as `a`, its axes renamed and turned round.
fn resliced(a: &Lattice) -> Lattice {
    let far = a.origin + a.row * (a.spacing_mm[1] * (a.dims[0] - 1) as f64);
    Lattice {
        name: "resliced",
        dims: [a.dims[2], a.dims[0], a.dims[1]],
        spacing_mm: [a.spacing_mm[1], a.step.length()],
        origin: far,
        row: a.step.normalize(),
        column: -a.row,
        step: a.column * a.spacing_mm[0],
    }
}

#[test]
fn a_mask_finds_the_same_points_in_a_series_of_other_axes() {
    let dir = tempfile::tempdir().expect("a folder");
    for a in lattices().into_iter().filter(|l| ["axial", "oblique", "reversed"].contains(&l.name)) {
        let b = resliced(&a);
        let (one, two) = (dir.path().join(a.name).join("a"), dir.path().join(a.name).join("b"));
        write_ct(&one, a.name, &a, "1.2.3.4");
        write_ct(&two, "resliced", &b, "1.2.3.4");
        let (one, two) = (stack(&one), stack(&two));
        let segments = three(a.dims);
        let path = dir.path().join("mask.dcm");
        seg::write(&path, &SegReference::from_stack(&one).expect("DICOM"), &segments).expect("saved");
        let placed = seg::read(&Source::file(&path)).expect("read").place_on(&two).expect("placed");
        let points = |stack: &Stack, mask: &Mask| -> Vec<[i64; 3]> {
            let g = stack.geometry.as_ref().expect("a place");
            let mut out = Vec::new();
            for k in mask.occupied() {
                for i in mask.plane(k).expect("occupied").iter_set() {
                    let p = VoxelPos::new((i % stack.columns) as f64, (i / stack.columns) as f64, k as f64);
                    out.push(g.to_patient(p).0.to_array().map(|v| (v * 1000.0).round() as i64));
                }
            }
            out.sort_unstable();
            out
        };
        for (drawn, found) in segments.iter().zip(&placed) {
            assert_eq!(points(&one, &drawn.mask), points(&two, &found.mask), "{} {}", a.name, drawn.name);
        }
    }
}

#[test]
fn a_mask_that_does_not_belong_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    let make = |name: &'static str, lattice: &Lattice, frame: &str| {
        write_ct(&dir.path().join(name), name, lattice, frame);
        stack(&dir.path().join(name))
    };
    let own = make("own", &axial, "1.2.3.4");
    let shifted = make("shifted", &Lattice { origin: axial.origin + DVec3::X * 0.4, ..axial.clone() }, "1.2.3.4");
    let elsewhere = make("elsewhere", &axial, "1.2.3.5");
    let path = dir.path().join("mask.dcm");
    seg::write(&path, &SegReference::from_stack(&own).expect("DICOM"), &three(axial.dims)).expect("saved");
    let file = seg::read(&Source::file(&path)).expect("read");
    assert!(matches!(file.place_on(&shifted), Err(SegError::OtherSeries { .. })));
    let error = file.place_on(&elsewhere).expect_err("another patient space");
    assert!(matches!(error, SegError::OtherFrameOfReference { .. }));
    assert!(error.to_string().starts_with("this mask belongs to another frame of reference than the series"));

    // The same images, cut: the mask names them, yet has another size and another place.
    let cut = make("own", &Lattice { dims: [20, 16, 7], ..axial.clone() }, "1.2.3.6");
    let error = file.place_on(&cut).expect_err("smaller").to_string();
    assert!(error.starts_with("the mask has 24 x 16 pixels, the images have 20 x 16: "), "{error}");

    // A series that lacks the last images: what was drawn there has no place.
    let files = write_ct(&dir.path().join("short"), "own", &axial, "1.2.3.4");
    std::fs::remove_file(&files[6]).expect("removed");
    let error = file.place_on(&stack(&dir.path().join("short"))).expect_err("shorter").to_string();
    assert!(error.contains("of the mask lies on no image of this series"), "{error}");
}

#[test]
fn of_two_series_in_one_place_the_named_one_is_surer() {
    use lightbox_dicom::seg::Belonging;
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    let make = |name: &'static str, frame: &str| {
        write_ct(&dir.path().join(name), name, &axial, frame);
        stack(&dir.path().join(name))
    };
    let (first, second, other) = (make("first", "1.2.3.4"), make("second", "1.2.3.4"), make("other", "1.2.3.5"));
    let path = dir.path().join("mask.dcm");
    seg::write(&path, &SegReference::from_stack(&second).expect("DICOM"), &three(axial.dims)).expect("saved");
    let file = seg::read(&Source::file(&path)).expect("read");
    assert_eq!(
        [&first, &second, &other].map(|s| file.belongs(s)),
        [Belonging::Place, Belonging::Images, Belonging::Unknown]
    );
    assert!(Belonging::Images < Belonging::Series && Belonging::Series < Belonging::Place);
    assert!(file.place_on(&first).is_ok());
}

#[test]
fn labels_that_are_not_described_cost_no_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    write_ct(&dir.path().join("source"), "axial", &axial, "1.2.3.4");
    let stack = stack(&dir.path().join("source"));
    let path = dir.path().join("mask.dcm");
    seg::write(&path, &SegReference::from_stack(&stack).expect("DICOM"), &three(axial.dims)).expect("saved");
    let mut file = dicom_object::open_file(&path).expect("written by us");
    // A label map of 16 bits whose every pixel bears another number.
    let (rows, columns) = (256_usize, 256_usize);
    put(&mut file, (0x0062, 0x0001), VR::CS, "LABELMAP");
    for (tag, n) in [(0x0010, rows), (0x0011, columns), (0x0100, 16), (0x0101, 16), (0x0102, 15)] {
        file.put(DataElement::new(Tag(0x0028, tag), VR::US, PrimitiveValue::from(n as u16)));
    }
    put(&mut file, (0x0028, 0x0008), VR::IS, "1");
    let values: Vec<u16> = (0..rows * columns).map(|i| i as u16).collect();
    file.put(DataElement::new(Tag(0x7FE0, 0x0010), VR::OW, PrimitiveValue::U16(values.into())));
    file.write_to_file(&path).expect("written");
    let error = seg::read(&Source::file(&path)).expect_err("not described").to_string();
    assert!(error.contains("frame 1 is of segment 4, which is not described"), "{error}");
}

#[test]
fn what_cannot_be_saved_leaves_the_old_file_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    write_ct(&dir.path().join("source"), "axial", &axial, "1.2.3.4");
    let stack = stack(&dir.path().join("source"));
    let reference = SegReference::from_stack(&stack).expect("DICOM");
    let out = dir.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    let path = out.join("mask.dcm");
    seg::write(&path, &reference, &three(axial.dims)).expect("saved");
    let before = std::fs::read(&path).expect("there");

    assert!(matches!(seg::write(&path, &reference, &[segment(1, "a", Mask::new(axial.dims))]), Err(SegError::Nothing)));
    let wrong = segment(1, "a", scattered([3, 3, 3], 1, 200, |_| true));
    let error = seg::write(&path, &reference, &[wrong]).expect_err("another size").to_string();
    assert_eq!(error, "the mask \"a\" has 3 x 3 pixels on 3 images, the series has 24 x 16 on 7");
    assert_eq!(std::fs::read(&path).expect("there"), before);

    // A folder bears the name: the last step fails, and nothing half-done stays behind.
    let taken = out.join("taken");
    std::fs::create_dir(&taken).expect("a folder");
    std::fs::write(taken.join("x"), b"x").expect("written");
    let error = seg::write(&taken, &reference, &three(axial.dims)).expect_err("a folder").to_string();
    assert!(error.starts_with("the mask is not saved, and nothing was overwritten: "), "{error}");
    let names: Vec<_> = std::fs::read_dir(&out).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");

    let error =
        seg::write(&dir.path().join("no").join("mask.dcm"), &reference, &three(axial.dims)).expect_err("no folder");
    assert!(matches!(error, SegError::Write { .. }));
}

#[test]
fn broken_files_are_refused_in_a_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let axial = lattices().remove(0);
    let files = write_ct(&dir.path().join("source"), "axial", &axial, "1.2.3.4");
    assert!(matches!(seg::read(&Source::file(&files[0])), Err(SegError::NotASegmentation { .. })));
    let stack = stack(&dir.path().join("source"));
    let path = dir.path().join("mask.dcm");
    seg::write(&path, &SegReference::from_stack(&stack).expect("DICOM"), &three(axial.dims)).expect("saved");
    let whole = std::fs::read(&path).expect("there");
    for n in (0..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..n]).expect("written");
        // Cut within the last padding it may still be whole; else it must be refused.
        if let Ok(file) = seg::read(&Source::file(&path)) {
            assert!(n + 2 >= whole.len() || file.place_on(&stack).is_err(), "cut to {n} bytes");
        }
    }
}

#[test]
fn masks_of_others_lie_on_their_images() {
    let Some(data) = data() else { return };
    let dir = data.join("dicom").join("highdicom");
    let read = |name: &str| seg::read(&Source::file(dir.join(name))).unwrap_or_else(|e| panic!("{e}"));
    let kinds = [
        ("seg_image_ct_binary.dcm", SegKind::Binary),
        ("seg_image_ct_binary_overlap.dcm", SegKind::Binary),
        ("seg_image_ct_binary_fractional.dcm", SegKind::Fractional),
        ("seg_image_ct_true_fractional.dcm", SegKind::Fractional),
        ("seg_image_cr_binary.dcm", SegKind::Binary),
        ("seg_image_sm_control_labelmap.dcm", SegKind::LabelMap),
    ];
    for (name, kind) in kinds {
        assert_eq!(read(name).kind, kind, "{name}");
    }
    // Their images are pydicom's; the numbers of pixels are those that highdicom counts.
    let stack = stack(&data.join("dicom/pydicom/dicomdirtests/77654033/CT2"));
    assert_eq!(stack.frames.len(), 4);
    let counted = |name: &str| -> Vec<usize> {
        read(name).place_on(&stack).expect("placed").iter().map(|s| s.mask.count()).collect()
    };
    assert_eq!(counted("seg_image_ct_binary.dcm"), [638]);
    assert_eq!(counted("seg_image_ct_binary_overlap.dcm"), [64, 16]);
    assert_eq!(counted("seg_image_ct_true_fractional.dcm"), [638]);
    let other = read("seg_image_cr_binary.dcm").place_on(&stack);
    assert!(matches!(other, Err(SegError::OtherSeries { .. })), "{other:?}");
}

/// The data root; without it a test says that it is skipped, and fails where CI is set.
fn data() -> Option<PathBuf> {
    let root = std::env::var_os("LIGHTBOX_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    assert!(std::env::var_os("CI").is_none(), "the test data is missing");
    eprintln!("skipped: the test data is missing");
    None
}
