//! HTML: one page, no scripts, no addresses outside.

use super::{Frame, NOTICE, parts};

/// A page with the report. All text is escaped.
pub fn html(text: &str, frame: &Frame) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str(&format!("<title>{}</title>\n", escaped(&frame.title)));
    page.push_str(
        "<style>body{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em;color:#111}\
         h1{font-size:1.4em}h2{font-size:1.05em;margin-bottom:.2em}p{margin:.2em 0}footer{margin-top:2em;color:#555}\
         </style>\n</head>\n<body>\n",
    );
    page.push_str(&format!("<h1>{}</h1>\n", escaped(&frame.title)));
    if !frame.about().is_empty() {
        page.push_str(&format!("<p>{}</p>\n", escaped(&frame.about().join(" · "))));
    }
    for (heading, lines) in parts(text) {
        page.push_str("<section>\n");
        if !heading.is_empty() {
            page.push_str(&format!("<h2>{}</h2>\n", escaped(&heading)));
        }
        for line in lines {
            page.push_str(&format!("<p>{}</p>\n", if line.is_empty() { "&nbsp;".into() } else { escaped(&line) }));
        }
        page.push_str("</section>\n");
    }
    page.push_str(&format!("<footer><p>{}</p><p>{NOTICE}</p></footer>\n</body>\n</html>\n", escaped(&frame.status())));
    page
}

pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() && letter != '\t' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
