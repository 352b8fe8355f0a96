//! Lossless JPEG (ISO 10918-1 annex H, process 14): Huffman codes of the differences to a predictor.
//!
//! jpeg-decoder 0.3 decodes it too, at half the speed of DCMTK.

use super::module::ImageModule;
use super::{Coded, Pattern, marker};

/// A Huffman table: `look[next 16 bits >> 6]` for codes of up to 10 bits, else the canonical search.
#[derive(Clone)]
struct Table {
    /// (length, value), length 0 = longer than 10 bits.
    look: Vec<(u8, u8)>,
    /// For each length: one more than the largest code, shifted to 16 bits.
    limit: [u32; 17],
    /// For each length: index of its first value minus its first code.
    base: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    fn new(counts: &[u8], values: &[u8]) -> Option<Self> {
        let mut table = Self { look: vec![(0, 0); 1024], limit: [0; 17], base: [0; 17], values: values.to_vec() };
        let mut code = 0_u32;
        let mut index = 0_usize;
        for length in 1..=16_usize {
            let n = usize::from(counts[length - 1]);
            table.base[length] = index as i32 - code as i32;
            for _ in 0..n {
                if code >= 1 << length {
                    return None;
                }
                let value = *values.get(index)?;
                if length <= 10 {
                    let first = (code << (10 - length)) as usize;
                    table.look[first..first + (1 << (10 - length))].fill((length as u8, value));
                }
                code += 1;
                index += 1;
            }
            table.limit[length] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }
}

/// Bits of the entropy-coded segment without its stuffed zeros.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    hold: u64,
    have: u32,
    /// Bits that were taken beyond the end.
    over: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, hold: 0, have: 0, over: 0 }
    }

    #[inline]
    fn refill(&mut self) {
        while self.have <= 56 {
            let byte = match self.data.get(self.at) {
                Some(&0xFF) => match self.data.get(self.at + 1) {
                    Some(&0) => {
                        self.at += 2;
                        0xFF
                    }
                    // A marker or the end: zeros from here on.
                    _ => {
                        self.over += 8;
                        0
                    }
                },
                Some(&b) => {
                    self.at += 1;
                    b
                }
                None => {
                    self.over += 8;
                    0
                }
            };
            self.hold |= u64::from(byte) << (56 - self.have);
            self.have += 8;
        }
    }

    #[inline]
    fn drop(&mut self, n: u32) {
        self.hold <<= n;
        self.have -= n;
    }

    /// Whether more was taken than there is.
    fn exhausted(&self) -> bool {
        self.over > self.have
    }

    #[inline]
    fn difference(&mut self, table: &Table) -> Option<i32> {
        if self.have < 33 {
            self.refill();
        }
        let (length, category) = table.look[(self.hold >> 54) as usize];
        let category = if length != 0 {
            self.drop(u32::from(length));
            u32::from(category)
        } else {
            let next = (self.hold >> 48) as u32;
            let length = (11..=16).find(|&l| next < table.limit[l])?;
            let index = (next >> (16 - length)) as i32 + table.base[length];
            self.drop(length as u32);
            u32::from(*table.values.get(usize::try_from(index).ok()?)?)
        };
        match category {
            0 => Some(0),
            1..=15 => {
                let bits = (self.hold >> (64 - category)) as i32;
                self.drop(category);
                // H.1.2.2: the upper half is positive.
                Some(if bits < 1 << (category - 1) { bits - (1 << category) + 1 } else { bits })
            }
            16 => Some(32_768),
            _ => None,
        }
    }

    /// Steps over a restart marker.
    fn restart(&mut self) {
        self.hold = 0;
        self.have = 0;
        self.over = 0;
        while self.at + 1 < self.data.len() {
            if self.data[self.at] == 0xFF && matches!(self.data[self.at + 1], 0xD0..=0xD7) {
                self.at += 2;
                return;
            }
            if self.data[self.at] == 0xFF && matches!(self.data[self.at + 1], 0xD9) {
                return;
            }
            self.at += 1;
        }
    }
}

struct Scan {
    tables: Vec<usize>,
    components: Vec<usize>,
    predictor: u8,
    point: u32,
    start: usize,
}

pub(crate) fn decode(data: &[u8], m: &ImageModule) -> Result<Coded, String> {
    let sof = marker::sof(data).ok_or("it has no frame header")?;
    if !(2..=16).contains(&sof.precision) {
        return Err(format!("its samples have {} bits", sof.precision));
    }
    let (columns, rows, n) = (sof.columns, sof.rows, sof.components);
    let mut tables: [Option<Table>; 4] = [None, None, None, None];
    let mut ids = Vec::new();
    let mut restart = 0_usize;
    let mut out = vec![0_u16; columns * rows * n];
    let mut decoded = vec![false; n];
    let mut missing = false;
    let mut at = 2;
    while let Some((code, body, next)) = segment(data, at) {
        at = next;
        match code {
            0xC4 => read_tables(body, &mut tables).ok_or("a Huffman table is broken")?,
            0xC3 => {
                for c in body.get(6..).unwrap_or(&[]).chunks_exact(3).take(n) {
                    if c[1] != 0x11 && n > 1 {
                        return Err("components of different sizes are not read".into());
                    }
                    ids.push(c[0]);
                }
            }
            0xDD => restart = body.get(..2).map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]]))),
            0xDA => {
                let scan = read_scan(body, &ids, next).ok_or("a scan header is broken")?;
                for &c in &scan.components {
                    decoded[c] = true;
                }
                let (end, whole) = run(data, &scan, &tables, &mut out, [columns, rows, n], sof.precision, restart)?;
                missing |= !whole;
                at = end;
                if decoded.iter().all(|d| *d) {
                    break;
                }
            }
            0xD9 => break,
            _ => {}
        }
    }
    if !decoded.iter().all(|d| *d) {
        return Err("it has no image data".into());
    }
    let note = missing.then(|| "the JPEG data is cut off; what could be read is shown".to_string());
    let pattern =
        if sof.precision <= 8 { Pattern::U8(out.into_iter().map(|v| v as u8).collect()) } else { Pattern::U16(out) };
    // Lossless streams carry colour as it was given: RGB, or YBR where the header says so.
    let ybr = n == 3 && marker::adobe_transform(data).is_some_and(|t| t != 0);
    let is_rgb = n == 3 && !ybr && m.photometric == super::Photometric::Rgb;
    Ok(Coded { pattern, components: n, is_rgb, note })
}

/// The next marker segment: code, body, where it ends.
fn segment(data: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    loop {
        while *data.get(at)? != 0xFF {
            at += 1;
        }
        while *data.get(at)? == 0xFF {
            at += 1;
        }
        let code = *data.get(at)?;
        at += 1;
        if matches!(code, 0x00 | 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if code == 0xD9 {
            return Some((code, &[], at));
        }
        let length = usize::from(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
        return Some((code, data.get(at + 2..at + length)?, at + length));
    }
}

fn read_tables(mut body: &[u8], tables: &mut [Option<Table>; 4]) -> Option<()> {
    while let [head, rest @ ..] = body {
        let counts = rest.get(..16)?;
        let n: usize = counts.iter().map(|&c| usize::from(c)).sum();
        let values = rest.get(16..16 + n)?;
        *tables.get_mut(usize::from(head & 0x0F))? = Some(Table::new(counts, values)?);
        body = &rest[16 + n..];
    }
    Some(())
}

fn read_scan(body: &[u8], ids: &[u8], start: usize) -> Option<Scan> {
    let n = usize::from(*body.first()?);
    let mut scan = Scan { tables: Vec::new(), components: Vec::new(), predictor: 0, point: 0, start };
    for c in body.get(1..1 + 2 * n)?.chunks_exact(2) {
        scan.components.push(ids.iter().position(|&id| id == c[0])?);
        scan.tables.push(usize::from(c[1] >> 4));
    }
    scan.predictor = *body.get(1 + 2 * n)?;
    scan.point = u32::from(*body.get(3 + 2 * n)? & 0x0F);
    (!scan.components.is_empty()).then_some(scan)
}

/// Decodes a scan; returns where its data ends and whether all of it was there.
fn run(
    data: &[u8],
    scan: &Scan,
    tables: &[Option<Table>; 4],
    out: &mut [u16],
    [columns, rows, n]: [usize; 3],
    precision: u32,
    restart: usize,
) -> Result<(usize, bool), String> {
    let mut used = Vec::new();
    for &t in &scan.tables {
        used.push(tables.get(t).and_then(Option::as_ref).ok_or("a Huffman table is missing")?);
    }
    if !(1..=7).contains(&scan.predictor) || scan.point >= precision {
        return Err(format!("its predictor {} does not exist", scan.predictor));
    }
    if restart != 0 && !restart.is_multiple_of(columns) {
        return Err("it restarts within a row".into());
    }
    let mut bits = Bits::new(data, scan.start);
    let half = 1_i32 << (precision - scan.point - 1);
    let line = columns * n;
    let predictor = scan.predictor;
    for y in 0..rows {
        let begin = restart != 0 && y > 0 && y * columns % restart == 0;
        if begin {
            bits.restart();
        }
        let first_line = y == 0 || begin;
        let (above, here) = out.split_at_mut(y * line);
        let above = if first_line { &[][..] } else { &above[(y - 1) * line..] };
        let here = &mut here[..line];
        for x in 0..columns {
            for (&c, table) in scan.components.iter().zip(&used) {
                let i = x * n + c;
                let prediction = if x == 0 {
                    if first_line { half } else { i32::from(above[i]) }
                } else {
                    let a = i32::from(here[i - n]);
                    if first_line {
                        a
                    } else {
                        let (b, c) = (i32::from(above[i]), i32::from(above[i - n]));
                        match predictor {
                            1 => a,
                            2 => b,
                            3 => c,
                            4 => a + b - c,
                            5 => a + ((b - c) >> 1),
                            6 => b + ((a - c) >> 1),
                            _ => (a + b) >> 1,
                        }
                    }
                };
                let Some(difference) = bits.difference(table) else {
                    return Ok((bits.at, false));
                };
                here[i] = (prediction + difference) as u16;
            }
        }
        if bits.exhausted() {
            here.fill(0);
            shift(out, scan, n);
            return Ok((bits.at, false));
        }
    }
    shift(out, scan, n);
    Ok((bits.at, true))
}

/// Undoes the point transform.
fn shift(out: &mut [u16], scan: &Scan, n: usize) {
    if scan.point > 0 {
        for &c in &scan.components {
            out[c..].iter_mut().step_by(n).for_each(|v| *v <<= scan.point);
        }
    }
}
