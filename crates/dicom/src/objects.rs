//! Objects that stand beside images, in words: structured reports as a tree (PS3.3 C.17.3), contours, plans, key objects,
//! presentation states, waveforms, documents.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use crate::attr::Attributes;
use crate::pixels::module::class_name;
use crate::text::{person_name, safe, shortened};

const CONTENT: Tag = Tag(0x0040, 0xA730);
/// Lines of a report's tree; a longer one is cut with a note.
const MOST_LINES: usize = 10_000;

/// What an object is and holds, in one line.
pub(crate) fn summary(o: &InMemDicomObject, class: &str) -> String {
    let count = |tag: Tag| o.items(tag).len();
    let told = |tag: Tag| safe(&o.text(tag));
    let named = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let first = |texts: [String; 2]| texts.into_iter().find(|t| !t.is_empty()).unwrap_or_default();
    let parts: Vec<String> = match class.strip_prefix("1.2.840.10008.5.1.4.1.1.").unwrap_or("") {
        // RT Structure Set.
        "481.3" => {
            vec![
                first([told(Tag(0x3006, 0x0004)), told(Tag(0x3006, 0x0002))]),
                named(count(Tag(0x3006, 0x0020)), "region", "regions"),
            ]
        }
        // RT Plan, RT Ion Plan.
        "481.5" | "481.8" => vec![
            first([told(Tag(0x300A, 0x0003)), told(Tag(0x300A, 0x0002))]),
            named(count(Tag(0x300A, 0x00B0)).max(count(Tag(0x300A, 0x03A2))), "beam", "beams"),
        ],
        // Segmentations.
        "66.4" | "66.7" => vec![told(Tag(0x0070, 0x0080)), named(count(Tag(0x0062, 0x0002)), "segment", "segments")],
        "66.5" => vec![named(count(Tag(0x0066, 0x0002)), "surface", "surfaces")],
        "66.6" => vec![named(count(Tag(0x0066, 0x0101)), "track set", "track sets")],
        "67" => vec![named(count(Tag(0x0040, 0x9094)), "image reference", "image references")],
        // Encapsulated documents.
        "104.1" | "104.2" | "104.3" | "104.4" | "104.5" => vec![told(Tag(0x0042, 0x0010)), told(Tag(0x0042, 0x0012))],
        // Presentation states.
        n if n.starts_with("11.") => {
            let graphics: usize = o
                .items(Tag(0x0070, 0x0001))
                .iter()
                .map(|a| a.items(Tag(0x0070, 0x0009)).len() + a.items(Tag(0x0070, 0x0008)).len())
                .sum();
            vec![told(Tag(0x0070, 0x0080)), named(graphics, "annotation", "annotations")]
        }
        // Waveforms.
        n if n.starts_with("9.") => o
            .items(Tag(0x5400, 0x0100))
            .iter()
            .map(|w| {
                let n = |tag: Tag| w.int(tag).unwrap_or(0);
                let rate_hz = w.number(Tag(0x003A, 0x001A)).unwrap_or(0.0);
                format!("{} channels of {} samples at {rate_hz} Hz", n(Tag(0x003A, 0x0005)), n(Tag(0x003A, 0x0010)))
            })
            .collect(),
        // Structured reports, key objects among them.
        n if n.starts_with("88.") => {
            vec![o.first(Tag(0x0040, 0xA043)).map(code).unwrap_or_default(), named(count(CONTENT), "entry", "entries")]
        }
        _ => Vec::new(),
    };
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    let name = class_name(class);
    shortened(&if parts.is_empty() { name } else { format!("{name}: {}", parts.join(", ")) }, 256)
}

/// A code as people read it.
fn code(item: &InMemDicomObject) -> String {
    let meaning = safe(&item.text(Tag(0x0008, 0x0104)));
    if !meaning.is_empty() {
        return meaning;
    }
    let value = [Tag(0x0008, 0x0100), Tag(0x0008, 0x0119), Tag(0x0008, 0x0120)];
    value.iter().map(|t| safe(&item.text(*t))).find(|v| !v.is_empty()).unwrap_or_default()
}

/// What an object holds, line by line: the tree of a report, the regions of a structure set. Empty for images.
pub(crate) fn lines(o: &InMemDicomObject) -> Vec<String> {
    let mut out = Vec::new();
    if o.get(CONTENT).is_some() || o.get(Tag(0x0040, 0xA040)).is_some() {
        tree(o, 0, &mut out);
    }
    for roi in o.items(Tag(0x3006, 0x0020)) {
        out.push(region(o, roi));
    }
    for segment in o.items(Tag(0x0062, 0x0002)) {
        out.push(format!("segment {} {}", segment.text(Tag(0x0062, 0x0004)), safe(&segment.text(Tag(0x0062, 0x0005)))));
    }
    for annotation in o.items(Tag(0x0070, 0x0001)) {
        for text in annotation.items(Tag(0x0070, 0x0008)) {
            out.push(format!("text \"{}\"", safe(&text.text(Tag(0x0070, 0x0006)))));
        }
        for graphic in annotation.items(Tag(0x0070, 0x0009)) {
            let points = graphic.numbers(Tag(0x0070, 0x0022)).len() / 2;
            let (kind, units) = (safe(&graphic.text(Tag(0x0070, 0x0023))), safe(&graphic.text(Tag(0x0070, 0x0005))));
            out.push(format!("{} of {points} points in units of {units}", kind.to_lowercase()));
        }
    }
    for group in o.items(Tag(0x5400, 0x0100)) {
        for channel in group.items(Tag(0x003A, 0x0200)) {
            out.push(format!("channel {}", channel.first(Tag(0x003A, 0x0208)).map(code).unwrap_or_default()));
        }
    }
    out
}

/// One region of a structure set: its parts are joined by ROI Number, not by their order (C.8.8.5, C.8.8.6, C.8.8.8).
fn region(o: &InMemDicomObject, roi: &InMemDicomObject) -> String {
    let number = roi.int(Tag(0x3006, 0x0022));
    let belongs = |i: &&InMemDicomObject| i.int(Tag(0x3006, 0x0084)) == number && number.is_some();
    let contours = o.items(Tag(0x3006, 0x0039)).iter().find(belongs).map_or(0, |c| c.items(Tag(0x3006, 0x0040)).len());
    let observed = o.items(Tag(0x3006, 0x0080)).iter().find(belongs);
    let kind = observed.map(|i| safe(&i.text(Tag(0x3006, 0x00A4)))).filter(|k| !k.is_empty());
    format!(
        "region {} {}{}: {contours} {}",
        number.map_or_else(|| "?".into(), |n| n.to_string()),
        safe(&roi.text(Tag(0x3006, 0x0026))),
        kind.map_or(String::new(), |k| format!(" ({})", k.to_lowercase())),
        if contours == 1 { "contour" } else { "contours" }
    )
}

/// One content item and what hangs on it. Nesting is bounded where the file is read.
fn tree(item: &InMemDicomObject, depth: usize, out: &mut Vec<String>) {
    if out.len() >= MOST_LINES {
        if out.len() == MOST_LINES {
            out.push("the rest of the report is left out here".into());
        }
        return;
    }
    let relation = item.text(Tag(0x0040, 0xA010)).to_lowercase();
    let name = item.first(Tag(0x0040, 0xA043)).map(code).unwrap_or_default();
    let mut line = "  ".repeat(depth);
    if !relation.is_empty() {
        line.push_str(&format!("{}: ", safe(&relation)));
    }
    line.push_str(&name);
    let value = value(item);
    if !value.is_empty() {
        line.push_str(&format!(" = {value}"));
    }
    out.push(shortened(line.trim_end(), 1024));
    for child in item.items(CONTENT) {
        tree(child, depth + 1, out);
    }
}

/// The value of a content item by its type (C.17.3.2.1).
fn value(item: &InMemDicomObject) -> String {
    let text = |tag: Tag| safe(&item.text(tag).replace(['\r', '\n'], " "));
    let reference = item.texts(Tag(0x0040, 0xDB73));
    if !reference.is_empty() {
        return format!("see entry {}", reference.join("."));
    }
    match item.text(Tag(0x0040, 0xA040)).as_str() {
        "TEXT" => text(Tag(0x0040, 0xA160)),
        "CODE" => item.first(Tag(0x0040, 0xA168)).map(code).unwrap_or_default(),
        "NUM" => item.first(Tag(0x0040, 0xA300)).map_or_else(String::new, |m| {
            let unit = m.first(Tag(0x0040, 0x08EA)).map(|u| safe(&u.text(Tag(0x0008, 0x0100)))).unwrap_or_default();
            // UCUM's `1` is no unit to print.
            let unit = if unit == "1" { String::new() } else { unit };
            format!("{} {unit}", safe(&m.text(Tag(0x0040, 0xA30A)))).trim_end().to_string()
        }),
        "PNAME" => person_name(&item.text(Tag(0x0040, 0xA123))),
        "DATE" => crate::text::date(&item.text(Tag(0x0040, 0xA121))),
        "TIME" => crate::text::time(&item.text(Tag(0x0040, 0xA122))),
        "DATETIME" => text(Tag(0x0040, 0xA120)),
        "UIDREF" => text(Tag(0x0040, 0xA124)),
        "IMAGE" | "COMPOSITE" | "WAVEFORM" => item.first(Tag(0x0008, 0x1199)).map_or_else(String::new, |r| {
            let frames = r.texts(Tag(0x0008, 0x1160));
            let of = if frames.is_empty() { String::new() } else { format!(", frame {}", frames.join(", ")) };
            format!("{}{of}", class_name(&r.text(Tag(0x0008, 0x1150))))
        }),
        kind @ ("SCOORD" | "SCOORD3D" | "TCOORD") => {
            let points = item.numbers(Tag(0x0070, 0x0022)).len() / if kind == "SCOORD3D" { 3 } else { 2 };
            format!("{} of {points} points", text(Tag(0x0070, 0x0023)).to_lowercase())
        }
        _ => String::new(),
    }
}
