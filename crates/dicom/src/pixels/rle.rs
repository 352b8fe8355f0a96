//! RLE (PS3.5 annex G).
//!
//! dicom-transfer-syntax-registry 0.10 panics on malformed segments (`rle_lossless.rs:119` and `:235`) and knows no 32-bit
//! samples, so the page of code that it takes is here.

/// Unpacks one frame into samples in little endian, interleaved by pixel. The second part says what was missing.
pub(crate) fn decode(
    data: &[u8],
    pixels: usize,
    samples: usize,
    bytes_per_sample: usize,
) -> Result<(Vec<u8>, Option<String>), String> {
    let word =
        |i: usize| -> Option<u32> { data.get(i * 4..i * 4 + 4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])) };
    if data.len() < 64 {
        return Err(format!("its header has {} of 64 bytes", data.len()));
    }
    let count = word(0).unwrap_or(0) as usize;
    let expected = samples * bytes_per_sample;
    if count != expected {
        return Err(format!("it has {count} segments where {expected} are due"));
    }
    if count > 15 {
        return Err(format!("it has {count} segments, 15 are possible"));
    }
    let mut bounds = Vec::with_capacity(count + 1);
    for i in 0..count {
        let offset = word(i + 1).unwrap_or(0) as usize;
        if offset < 64 || offset > data.len() || bounds.last().is_some_and(|&last| offset < last) {
            return Err(format!("segment {} begins at byte {offset}, which is not possible", i + 1));
        }
        bounds.push(offset);
    }
    bounds.push(data.len());
    // Two bytes make at most 128. Memory is taken only where a good part of the image can be in the data.
    let most: usize = bounds.windows(2).map(|w| ((w[1] - w[0]) * 64).min(pixels)).sum();
    if most < pixels * expected / 8 {
        return Err(format!("{} bytes cannot hold an image of {} bytes", data.len(), pixels * expected));
    }
    let mut out = vec![0; pixels * expected];
    let (mut missing, mut ragged) = (0, false);
    for s in 0..count {
        // Segments go from the most significant byte to the least, sample by sample (G.2).
        let (sample, byte) = (s / bytes_per_sample, bytes_per_sample - 1 - s % bytes_per_sample);
        let first = sample * bytes_per_sample + byte;
        let segment = &data[bounds[s]..bounds[s + 1]];
        let n = unpack(segment, &mut out, first, expected, pixels);
        missing += pixels - n;
        ragged |= n == pixels && ends_within_a_run(segment);
    }
    if ragged && missing == 0 {
        return Ok((out, Some("the RLE data ends within a run".into())));
    }
    let note = (missing > 0).then(|| format!("{missing} of {} bytes are missing from the RLE data", out.len()));
    Ok((out, note))
}

/// Whether a segment ends with the control byte of a run whose byte is missing. A zero at the end is its padding (G.3.1).
fn ends_within_a_run(segment: &[u8]) -> bool {
    let mut i = 0;
    while let Some(&control) = segment.get(i) {
        let control = control as i8;
        let next = match control {
            0.. => i + 2 + control as usize,
            i8::MIN => i + 1,
            _ => i + 2,
        };
        if next > segment.len() {
            return control < 0;
        }
        i = next;
    }
    false
}

/// Unpacks one segment into every `step`th byte from `first`; returns how many of `pixels` there were.
fn unpack(segment: &[u8], out: &mut [u8], first: usize, step: usize, pixels: usize) -> usize {
    let mut done = 0;
    let mut i = 0;
    while done < pixels && i < segment.len() {
        let control = segment[i] as i8;
        i += 1;
        if control >= 0 {
            let n = (control as usize + 1).min(pixels - done).min(segment.len() - i);
            if step == 1 {
                out[first + done..first + done + n].copy_from_slice(&segment[i..i + n]);
            } else {
                for (to, &b) in out[first + done * step..].iter_mut().step_by(step).zip(&segment[i..i + n]) {
                    *to = b;
                }
            }
            done += n;
            i += n;
        } else if control != i8::MIN {
            let Some(&b) = segment.get(i) else { break };
            let n = (1 - isize::from(control)) as usize;
            let n = n.min(pixels - done);
            if step == 1 {
                out[first + done..first + done + n].fill(b);
            } else {
                for to in out[first + done * step..].iter_mut().step_by(step).take(n) {
                    *to = b;
                }
            }
            done += n;
            i += 1;
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(segments: &[&[u8]]) -> Vec<u8> {
        let mut head = vec![segments.len() as u32];
        let mut at = 64;
        for s in segments {
            head.push(at);
            at += s.len() as u32;
        }
        head.resize(16, 0);
        let mut out: Vec<u8> = head.iter().flat_map(|v| v.to_le_bytes()).collect();
        segments.iter().for_each(|s| out.extend_from_slice(s));
        out
    }

    #[test]
    fn literal_and_replicate_runs_by_plane() {
        // -128 is no operation; -3 repeats four times.
        let f = frame(&[&[0x80, 0xFD, 0x12], &[3, 1, 2, 3, 4]]);
        let (out, note) = decode(&f, 4, 1, 2).expect("valid");
        assert_eq!(out, [1, 0x12, 2, 0x12, 3, 0x12, 4, 0x12]);
        assert_eq!(note, None);
    }

    #[test]
    fn thirty_two_bits_have_four_segments() {
        let f = frame(&[&[0, 0xAA], &[0, 0xBB], &[0, 0xCC], &[0, 0xDD]]);
        let (out, _) = decode(&f, 1, 1, 4).expect("valid");
        assert_eq!(u32::from_le_bytes([out[0], out[1], out[2], out[3]]), 0xAABB_CCDD);
    }

    #[test]
    fn short_and_broken_segments_do_no_harm() {
        let (out, note) = decode(&frame(&[&[0x7F, 1, 2]]), 4, 1, 1).expect("what is there");
        assert_eq!(out, [1, 2, 0, 0]);
        assert!(note.is_some());
        let (_, note) = decode(&frame(&[&[0x81]]), 4, 1, 1).expect("nothing");
        assert!(note.is_some());
        assert!(decode(&[], 4, 1, 1).is_err());
        let mut f = frame(&[&[0, 1]]);
        f[4..8].copy_from_slice(&2u32.to_le_bytes());
        assert!(decode(&f, 4, 1, 1).is_err());
        f[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode(&f, 4, 1, 1).is_err());
    }
}
