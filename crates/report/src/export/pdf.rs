//! PDF: A4, Helvetica, wrapped lines, page numbers. Letters outside of Windows-1252 are shown as "?", which the
//! standard fonts of every reader ask for; the text form keeps them.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

use super::{Frame, NOTICE, parts};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
const SIZE: f32 = 11.0;
const LEADING: f32 = 15.0;
const TEXT: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

struct Line {
    text: String,
    font: Name<'static>,
    size: f32,
}

/// The report as a PDF file.
pub fn pdf(text: &str, frame: &Frame) -> Vec<u8> {
    let pages = pages(lines(text, frame));
    let mut pdf = Pdf::new();
    let (catalog, tree, text_font, bold_font) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4));
    pdf.catalog(catalog).pages(tree);
    let page_ref = |index: usize| Ref::new(5 + 2 * index as i32);
    let content_ref = |index: usize| Ref::new(6 + 2 * index as i32);
    pdf.pages(tree).kids((0..pages.len()).map(page_ref)).count(pages.len() as i32);
    for (id, name) in [(text_font, Name(b"Helvetica")), (bold_font, Name(b"Helvetica-Bold"))] {
        pdf.type1_font(id).base_font(name).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (index, lines) in pages.iter().enumerate() {
        let mut page = pdf.page(page_ref(index));
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content_ref(index));
        let mut resources = page.resources();
        resources.fonts().pair(TEXT, text_font).pair(BOLD, bold_font);
        resources.finish();
        page.finish();
        let mut content = Content::new();
        let mut y = HEIGHT - MARGIN;
        for line in lines {
            put(&mut content, line, MARGIN, y);
            y -= LEADING;
        }
        let foot = Line { text: format!("{NOTICE}   {} / {}", index + 1, pages.len()), font: TEXT, size: 8.0 };
        put(&mut content, &foot, MARGIN, MARGIN / 2.0);
        pdf.stream(content_ref(index), &content.finish());
    }
    pdf.finish()
}

fn put(content: &mut Content, line: &Line, x: f32, y: f32) {
    content.begin_text();
    content.set_font(line.font, line.size);
    content.next_line(x, y);
    content.show(Str(&windows_1252(&line.text)));
    content.end_text();
}

fn lines(text: &str, frame: &Frame) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |text: &str, font: Name<'static>, size: f32| {
        for part in wrapped(text, size) {
            lines.push(Line { text: part, font, size });
        }
    };
    if !frame.title.is_empty() {
        add(&frame.title, BOLD, 14.0);
    }
    if !frame.about().is_empty() {
        add(&frame.about().join(", "), TEXT, SIZE);
    }
    add("", TEXT, SIZE);
    for (heading, body) in parts(text) {
        if !heading.is_empty() {
            add(&heading, BOLD, SIZE);
        }
        for line in body {
            add(&line, TEXT, SIZE);
        }
        add("", TEXT, SIZE);
    }
    add(&frame.status(), TEXT, SIZE);
    lines
}

fn pages(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let on_page = ((HEIGHT - 2.0 * MARGIN) / LEADING) as usize;
    let mut pages: Vec<Vec<Line>> = vec![Vec::new()];
    for line in lines {
        if pages.last().is_some_and(|page| page.len() >= on_page) {
            pages.push(Vec::new());
        }
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    pages
}

/// Cuts at spaces by the mean width of Helvetica (0.5 em, capitals 0.67); a word longer than a line is cut inside.
fn wrapped(text: &str, size: f32) -> Vec<String> {
    let room = WIDTH - 2.0 * MARGIN;
    let width = |word: &str| -> f32 {
        word.chars()
            .map(|letter| if letter.is_uppercase() || letter == 'm' || letter == 'w' { 0.72 } else { 0.53 })
            .sum::<f32>()
            * size
    };
    let mut lines = vec![String::new()];
    let mut used = 0.0;
    for word in text.split(' ') {
        let long = width(word);
        if used > 0.0 && used + long > room {
            lines.push(String::new());
            used = 0.0;
        }
        for letter in word.chars() {
            let step = width(letter.encode_utf8(&mut [0; 4]));
            if used + step > room {
                lines.push(String::new());
                used = 0.0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
            used += step;
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
        }
        used += width(" ");
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

fn windows_1252(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| match letter {
            ' '..='~' | '\u{a0}'..='\u{ff}' => letter as u8,
            '€' => 0x80,
            '…' => 0x85,
            '‘' => 0x91,
            '’' => 0x92,
            '“' => 0x93,
            '”' => 0x94,
            '•' => 0x95,
            '–' => 0x96,
            '—' => 0x97,
            '\t' => b' ',
            _ => b'?',
        })
        .collect()
}
