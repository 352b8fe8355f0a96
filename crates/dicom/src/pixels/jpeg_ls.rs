//! JPEG-LS (ISO 14495-1), lossless and near-lossless, all three interleave modes.
//!
//! No pure-Rust decoder was found that reads colour (pure_jpegls 2.0 refuses it); CharLS needs cmake to build.

use super::module::ImageModule;
use super::{Coded, Pattern, marker};

/// Coding parameters (14495-1 C.2.4.1).
#[derive(Debug, Clone, Copy)]
struct Parameters {
    max: i32,
    near: i32,
    t: [i32; 3],
    reset: i32,
    range: i32,
    /// Bits of a mapped error when the code is escaped.
    qbpp: u32,
    limit: u32,
}

impl Parameters {
    fn new(max: i32, near: i32, preset: Option<[i32; 5]>) -> Option<Self> {
        let preset = preset.unwrap_or([0; 5]);
        let max = if preset[0] > 0 { preset[0] } else { max };
        if !(1..=65_535).contains(&max) || near < 0 || near > (max / 2).min(255) {
            return None;
        }
        let clamp = |i: i32, low: i32| if i > max || i < low { low } else { i };
        let (t1, t2, t3);
        if max >= 128 {
            let f = (max.min(4095) + 128) / 256;
            t1 = clamp(f + 2 + 3 * near, near + 1);
            t2 = clamp(f * 4 + 3 + 5 * near, t1);
            t3 = clamp(f * 17 + 4 + 7 * near, t2);
        } else {
            let f = 256 / (max + 1);
            t1 = clamp((3 / f + 3 * near).max(2), near + 1);
            t2 = clamp((7 / f + 5 * near).max(3), t1);
            t3 = clamp((21 / f + 7 * near).max(4), t2);
        }
        let or = |given: i32, default: i32| if given > 0 { given } else { default };
        let range = (max + 2 * near) / (2 * near + 1) + 1;
        let bits = |v: i32| 32 - (v - 1).leading_zeros();
        let bpp = bits(max + 1).max(2);
        Some(Self {
            max,
            near,
            t: [or(preset[1], t1), or(preset[2], t2), or(preset[3], t3)],
            reset: or(preset[4], 64),
            range,
            qbpp: bits(range).max(1),
            limit: 2 * (bpp + bpp.max(8)),
        })
    }

    #[inline]
    fn quantise(&self, d: i32) -> i32 {
        let [t1, t2, t3] = self.t;
        if d <= -t3 {
            -4
        } else if d <= -t2 {
            -3
        } else if d <= -t1 {
            -2
        } else if d < -self.near {
            -1
        } else if d <= self.near {
            0
        } else if d < t1 {
            1
        } else if d < t2 {
            2
        } else if d < t3 {
            3
        } else {
            4
        }
    }

    /// Prediction and error to a sample, modulo the range.
    #[inline]
    fn reconstruct(&self, prediction: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut v = prediction + error * step;
        if v < -self.near {
            v += self.range * step;
        } else if v > self.max + self.near {
            v -= self.range * step;
        }
        v.clamp(0, self.max)
    }
}

const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[derive(Clone, Copy)]
struct Context {
    a: i32,
    b: i32,
    c: i32,
    n: i32,
}

#[derive(Clone, Copy)]
struct RunContext {
    a: i32,
    n: i32,
    negative: i32,
}

/// Bits of the scan; after a byte FF only seven bits of the next one count (A.1).
#[derive(Clone, Copy)]
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    hold: u64,
    have: u32,
    after_ff: bool,
    over: u32,
}

impl Bits<'_> {
    #[inline]
    fn refill(&mut self) {
        // Eight bytes without an FF are taken as they are. Bits of the last one that do not fit are those that the next
        // refill puts at the same place.
        if !self.after_ff
            && let Some(word) = self.data.get(self.at..).and_then(|d| d.first_chunk::<8>())
        {
            let word = u64::from_be_bytes(*word);
            let no_ff = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 == 0;
            if no_ff {
                self.hold |= word >> self.have;
                let bytes = (63 - self.have) / 8;
                self.have += bytes * 8;
                self.at += bytes as usize;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    fn refill_slowly(&mut self) {
        // Bits beyond those that are held may be left of a quick refill.
        if self.have < 64 {
            self.hold &= !(u64::MAX >> self.have);
        }
        while self.have <= 55 {
            let next = self.data.get(self.at).copied();
            match next {
                Some(b) if self.after_ff && b >= 0x80 => self.past_end(),
                Some(b) => {
                    let width = if self.after_ff { 7 } else { 8 };
                    self.hold |= u64::from(b) << (64 - width - self.have);
                    self.have += width;
                    self.after_ff = b == 0xFF;
                    self.at += 1;
                }
                None => self.past_end(),
            }
        }
    }

    fn past_end(&mut self) {
        self.have += 8;
        self.over += 8;
    }

    #[inline]
    fn take(&mut self, n: u32) -> i32 {
        if n == 0 {
            return 0;
        }
        if self.have < n {
            self.refill();
        }
        let v = (self.hold >> (64 - n)) as i32;
        self.hold <<= n;
        self.have -= n;
        v
    }

    /// Limited-length Golomb code (A.5.3); `None` where it is longer than it may be.
    #[inline(always)]
    fn golomb(&mut self, k: u32, limit: u32, qbpp: u32) -> Option<i32> {
        // Nearly every code is shorter than 32 bits; the longest has 63, which a refill after the zeros gives.
        if self.have < 32 {
            self.refill();
        }
        let mut zeros = self.hold.leading_zeros();
        if zeros >= self.have {
            self.refill();
            // Still longer than what is held: this happens at the end or in nonsense.
            zeros = self.hold.leading_zeros().min(self.have);
        }
        if zeros > limit {
            return None;
        }
        self.hold = (self.hold << zeros) << 1;
        self.have = self.have.saturating_sub(zeros + 1);
        Some(if zeros < limit - qbpp - 1 { ((zeros as i32) << k) + self.take(k) } else { self.take(qbpp) + 1 })
    }

    fn exhausted(&self) -> bool {
        self.over > self.have
    }
}

const TOO_LONG: &str = "a code is longer than it may be";

/// The least k with `n << k >= a`, at most 24 (A.5.1). Both are positive.
#[inline(always)]
fn golomb_k(n: i32, a: i32) -> u32 {
    let k = n.leading_zeros().saturating_sub(a.leading_zeros());
    (k + u32::from((i64::from(n) << k) < i64::from(a))).min(24)
}

/// Regular mode (A.4 to A.6); `None` where a code cannot be.
#[inline(always)]
fn regular<const LOSSLESS: bool>(
    p: &Parameters,
    bits: &mut Bits<'_>,
    contexts: &mut [Context; 512],
    [q, a, b, c]: [i32; 4],
) -> Option<i32> {
    let near = if LOSSLESS { 0 } else { p.near };
    let sign = (q >> 31) | 1;
    let x = &mut contexts[q.unsigned_abs() as usize & 511];
    let edge = if c >= a.max(b) {
        a.min(b)
    } else if c <= a.min(b) {
        a.max(b)
    } else {
        a + b - c
    };
    let prediction = (edge + sign * x.c).clamp(0, p.max);
    let k = golomb_k(x.n, x.a);
    let mapped = bits.golomb(k, p.limit, p.qbpp)?;
    // Even: half of it; odd: the negative of what is above the half. Turned around where the errors lean (A.5.2).
    let turned = LOSSLESS && k == 0 && 2 * x.b <= -x.n;
    let error = (mapped >> 1) ^ -(mapped & 1) ^ -i32::from(turned);
    if error.abs() > 65_535 {
        return None;
    }
    x.b += error * (2 * near + 1);
    x.a += error.abs();
    if x.n == p.reset {
        x.a >>= 1;
        x.b >>= 1;
        x.n >>= 1;
    }
    x.n += 1;
    if x.b <= -x.n {
        x.b = (x.b + x.n).max(1 - x.n);
        x.c = (x.c - 1).max(-128);
    } else if x.b > 0 {
        x.b = (x.b - x.n).min(0);
        x.c = (x.c + 1).min(127);
    }
    Some(if LOSSLESS {
        let mut v = prediction + sign * error;
        if v < 0 {
            v += p.range;
        } else if v > p.max {
            v -= p.range;
        }
        v.clamp(0, p.max)
    } else {
        p.reconstruct(prediction, sign * error)
    })
}

struct Decoder<'a> {
    p: Parameters,
    bits: Bits<'a>,
    /// 365 of them; the rest is there so that every index of nine bits is inside.
    contexts: Box<[Context; 512]>,
    runs: [RunContext; 2],
    /// Quantised gradients by difference + max.
    quantised: Vec<i8>,
}

impl<'a> Decoder<'a> {
    fn new(p: Parameters, data: &'a [u8], at: usize) -> Self {
        let a = ((p.range + 32) / 64).max(2);
        let quantised = (-p.max..=p.max).map(|d| p.quantise(d) as i8).collect();
        Self {
            p,
            bits: Bits { data, at, hold: 0, have: 0, after_ff: false, over: 0 },
            contexts: Box::new([Context { a, b: 0, c: 0, n: 1 }; 512]),
            runs: [RunContext { a, n: 1, negative: 0 }; 2],
            quantised,
        }
    }

    #[inline]
    fn gradient(&self, d: i32) -> i32 {
        i32::from(self.quantised[(d + self.p.max) as usize])
    }

    fn regular(&mut self, q: i32, a: i32, b: i32, c: i32) -> Option<i32> {
        if self.p.near == 0 {
            regular::<true>(&self.p, &mut self.bits, &mut self.contexts, [q, a, b, c])
        } else {
            regular::<false>(&self.p, &mut self.bits, &mut self.contexts, [q, a, b, c])
        }
    }

    /// Run length in pixels, at most `room` (A.7.1). `true`: broken off by another sample.
    fn run_length(&mut self, run_index: &mut usize, room: usize) -> (usize, bool) {
        let mut length = 0;
        loop {
            if self.bits.take(1) == 0 {
                break;
            }
            let step = 1_usize << J[*run_index];
            if step > room - length {
                return (room, false);
            }
            length += step;
            *run_index = (*run_index + 1).min(31);
            if length == room {
                return (room, false);
            }
            if self.bits.exhausted() {
                return (room, false);
            }
        }
        let rest = self.bits.take(J[*run_index]) as usize;
        (length + rest, true)
    }

    /// The error of the sample that breaks a run (A.7.2).
    fn interruption(&mut self, kind: usize, run_index: usize) -> Option<i32> {
        let p = self.p;
        let x = self.runs[kind];
        let temp = if kind == 0 { x.a } else { x.a + (x.n >> 1) };
        let k = golomb_k(x.n, temp);
        let mapped = self.bits.golomb(k, p.limit - J[run_index] - 1, p.qbpp)?;
        let t = mapped + kind as i32;
        let map = t & 1;
        let size = (t + map) / 2;
        let negative = (k != 0 || 2 * x.negative >= x.n) == (map == 1);
        let error = if negative { -size } else { size };
        let x = &mut self.runs[kind];
        if error < 0 {
            x.negative += 1;
        }
        x.a += (mapped + 1 - kind as i32) >> 1;
        if x.n == p.reset {
            x.a >>= 1;
            x.n >>= 1;
            x.negative >>= 1;
        }
        x.n += 1;
        Some(error)
    }

    /// One line of one component, apart from the rest so that its variables stay in registers. `above` and `here` have a margin of one on both sides.
    #[inline(never)]
    fn line<const LOSSLESS: bool>(
        &mut self,
        above: &[i32],
        here: &mut [i32],
        run_index: &mut usize,
    ) -> Result<(), String> {
        let near = self.p.near;
        let columns = here.len() - 2;
        // So that the compiler sees that every index below is inside.
        let above = &above[..columns + 2];
        let mut x = 1;
        let (mut a, mut b, mut c) = (here[0], above[1], above[0]);
        while x <= columns {
            // The samples outside of runs, with what they need in registers.
            let (p, max, mut bits) = (self.p, self.p.max, self.bits);
            let (quantised, contexts) = (self.quantised.as_slice(), &mut *self.contexts);
            let gradient = |d: i32| quantised.get((d + max) as usize).copied().map_or(0, i32::from);
            let mut broken = false;
            while x <= columns {
                let d = above[x + 1];
                let q = 81 * gradient(d - b) + 9 * gradient(b - c) + gradient(c - a);
                if q == 0 {
                    break;
                }
                match regular::<LOSSLESS>(&p, &mut bits, contexts, [q, a, b, c]) {
                    Some(v) => a = v,
                    None => {
                        broken = true;
                        break;
                    }
                }
                here[x] = a;
                (c, b) = (b, d);
                x += 1;
            }
            self.bits = bits;
            if broken {
                return Err(TOO_LONG.into());
            }
            if x > columns {
                break;
            }
            let room = columns + 1 - x;
            let (length, broken) = self.run_length(run_index, room);
            if length > room || broken && length == room {
                return Err("a run is longer than the line".into());
            }
            here[x..x + length].fill(a);
            x += length;
            if !broken {
                // The line ends with the run.
                break;
            }
            let over = above[x];
            let kind = usize::from((a - over).abs() <= near);
            let error = self.interruption(kind, *run_index).ok_or(TOO_LONG)?;
            a = if kind == 1 {
                self.p.reconstruct(a, error)
            } else {
                self.p.reconstruct(over, if a > over { -error } else { error })
            };
            here[x] = a;
            *run_index = run_index.saturating_sub(1);
            (c, b) = (over, above[x + 1]);
            x += 1;
        }
        Ok(())
    }

    /// One line of all components, sample by sample.
    fn line_of_samples(
        &mut self,
        above: &[Vec<i32>],
        here: &mut [Vec<i32>],
        run_index: &mut usize,
    ) -> Result<(), String> {
        let n = here.len();
        let columns = here[0].len() - 2;
        let mut x = 1;
        while x <= columns {
            let mut q = [0; 4];
            for c in 0..n {
                let (l, u) = (&here[c], &above[c]);
                q[c] = 81 * self.gradient(u[x + 1] - u[x])
                    + 9 * self.gradient(u[x] - u[x - 1])
                    + self.gradient(u[x - 1] - l[x - 1]);
            }
            if q[..n].iter().any(|q| *q != 0) {
                for c in 0..n {
                    let (a, b, d) = (here[c][x - 1], above[c][x], above[c][x - 1]);
                    here[c][x] = self.regular(q[c], a, b, d).ok_or(TOO_LONG)?;
                }
                x += 1;
                continue;
            }
            let room = columns + 1 - x;
            let (length, broken) = self.run_length(run_index, room);
            if length > room || broken && length == room {
                return Err("a run is longer than the line".into());
            }
            for line in here.iter_mut() {
                let a = line[x - 1];
                line[x..x + length].fill(a);
            }
            x += length;
            if !broken {
                continue;
            }
            for c in 0..n {
                let (a, b) = (here[c][x - 1], above[c][x]);
                let error = self.interruption(0, *run_index).ok_or(TOO_LONG)?;
                here[c][x] = self.p.reconstruct(b, if a > b { -error } else { error });
            }
            *run_index = run_index.saturating_sub(1);
            x += 1;
        }
        Ok(())
    }
}

pub(crate) fn decode(data: &[u8], m: &ImageModule) -> Result<Coded, String> {
    let sof = marker::sof(data).filter(|s| s.code == 0xF7).ok_or("it has no frame header")?;
    marker::check(sof.rows, sof.columns, sof.components, m)?;
    if !(2..=16).contains(&sof.precision) {
        return Err(format!("its samples have {} bits", sof.precision));
    }
    let (columns, rows, n) = (sof.columns, sof.rows, sof.components);
    let mut out = vec![0_u16; columns * rows * n];
    let mut ids: Vec<u8> = Vec::new();
    let mut preset = None;
    let mut transform = 0;
    let mut done = 0;
    let mut note = None;
    let mut at = 2;
    while done < n {
        let Some((code, body, next)) = segment(data, at) else { break };
        at = next;
        match code {
            0xF7 => ids = body.get(6..).unwrap_or(&[]).chunks_exact(3).map(|c| c[0]).collect(),
            0xF8 if body.first() == Some(&1) => {
                let word =
                    |i: usize| body.get(1 + 2 * i..3 + 2 * i).map(|b| i32::from(u16::from_be_bytes([b[0], b[1]])));
                let mut values = [0; 5];
                for (i, v) in values.iter_mut().enumerate() {
                    *v = word(i).ok_or("its coding parameters are cut off")?;
                }
                preset = Some(values);
            }
            0xF8 => return Err("it uses mapping tables, which are not read".into()),
            0xDD if body.iter().any(|&b| b != 0) => return Err("restart markers are not read".into()),
            // HP's colour transforms (APP8 "mrfx").
            0xE8 if body.starts_with(b"mrfx") => transform = body.get(4).copied().unwrap_or(0),
            0xDA => {
                let k = usize::from(*body.first().ok_or("a scan header is broken")?);
                let near = i32::from(*body.get(1 + 2 * k).ok_or("a scan header is broken")?);
                let interleave = *body.get(2 + 2 * k).ok_or("a scan header is broken")?;
                let mut components = Vec::new();
                for c in body[1..1 + 2 * k].chunks_exact(2) {
                    components.push(ids.iter().position(|&id| id == c[0]).ok_or("a scan header is broken")?);
                }
                let p =
                    Parameters::new((1 << sof.precision) - 1, near, preset).ok_or("its parameters are not possible")?;
                if components.is_empty() || components.len() > 4 || interleave > 2 || interleave == 0 && k != 1 {
                    return Err("a scan header is broken".into());
                }
                let mut decoder = Decoder::new(p, data, next);
                let interleave = if k == 1 { 0 } else { interleave };
                scan(&mut decoder, interleave, &components, &mut out, [columns, rows, n])?;
                if decoder.bits.exhausted() {
                    note = Some("the JPEG-LS data is cut off; what could be read is shown".to_string());
                }
                done += k;
                at = scan_end(data, next);
            }
            0xD9 => break,
            _ => {}
        }
    }
    if done < n {
        return Err("it has no image data".into());
    }
    if transform != 0 && n == 3 {
        undo_transform(&mut out, transform, 1 << sof.precision)?;
    }
    let pattern =
        if sof.precision <= 8 { Pattern::U8(out.into_iter().map(|v| v as u8).collect()) } else { Pattern::U16(out) };
    Ok(Coded { pattern, components: n, is_rgb: transform != 0, note })
}

fn scan(
    decoder: &mut Decoder<'_>,
    interleave: u8,
    components: &[usize],
    out: &mut [u16],
    [columns, rows, n]: [usize; 3],
) -> Result<(), String> {
    let k = components.len();
    let mut above = vec![vec![0_i32; columns + 2]; k];
    let mut here = above.clone();
    let mut run_index = vec![0_usize; k];
    for y in 0..rows {
        for c in 0..k {
            // Edges (A.2.1): to the left of the first sample stands the one above it, to the right of the last the last.
            above[c][columns + 1] = above[c][columns];
            here[c][0] = above[c][1];
        }
        if interleave == 2 {
            decoder.line_of_samples(&above, &mut here, &mut run_index[0])?;
        } else {
            for c in 0..k {
                if decoder.p.near == 0 {
                    decoder.line::<true>(&above[c], &mut here[c], &mut run_index[c])?;
                } else {
                    decoder.line::<false>(&above[c], &mut here[c], &mut run_index[c])?;
                }
            }
        }
        for (c, &component) in components.iter().enumerate() {
            let line = &mut out[y * columns * n..(y + 1) * columns * n];
            for (to, &v) in line[component..].iter_mut().step_by(n).zip(&here[c][1..=columns]) {
                *to = v as u16;
            }
        }
        if decoder.bits.exhausted() {
            return Ok(());
        }
        std::mem::swap(&mut above, &mut here);
    }
    Ok(())
}

/// Where the entropy-coded data ends: at a marker, which FF followed by a set high bit is.
fn scan_end(data: &[u8], from: usize) -> usize {
    data[from.min(data.len())..].windows(2).position(|w| w[0] == 0xFF && w[1] >= 0x80).map_or(data.len(), |p| from + p)
}

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
        if code < 0x80 || matches!(code, 0xD0..=0xD8) {
            continue;
        }
        if code == 0xD9 {
            return Some((code, &[], at));
        }
        let length = usize::from(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
        return Some((code, data.get(at + 2..at + length)?, at + length));
    }
}

/// HP's reversible transforms HP1 to HP3, as CharLS undoes them.
fn undo_transform(out: &mut [u16], transform: u8, range: i32) -> Result<(), String> {
    let half = range / 2;
    let wrap = |v: i32| v.rem_euclid(range) as u16;
    for p in out.chunks_exact_mut(3) {
        let (a, b, c) = (i32::from(p[0]), i32::from(p[1]), i32::from(p[2]));
        let (r, g, bl) = match transform {
            1 => (a + b - half, b, c + b - half),
            2 => {
                let r = (a + b - half).rem_euclid(range);
                (r, b, c + ((r + b) >> 1) - half)
            }
            3 => {
                let g = (a - ((c + b) >> 2) + range / 4).rem_euclid(range);
                (c + g - half, g, b + g - half)
            }
            other => return Err(format!("its colour transform {other} is not read")),
        };
        p.copy_from_slice(&[wrap(r), wrap(g), wrap(bl)]);
    }
    Ok(())
}
