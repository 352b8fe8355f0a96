//! The few fields of a SentencePiece `ModelProto` (protocol buffers, `sentencepiece_model.proto`) that are needed to use one.

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    Other,
}

/// A token with its log probability.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// A model.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) pieces: Vec<Piece>,
    /// The compiled table of characters, empty where there is none.
    pub(super) charsmap: Vec<u8>,
    pub(super) byte_fallback: bool,
}

/// A field of a message: its number, and its value where that is a number or bytes.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

const CUT: &str = "the SentencePiece file is cut short";

fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(CUT)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("the SentencePiece file holds a number of more than 64 bits")
}

fn take<'b>(bytes: &mut &'b [u8], length: u64) -> Result<&'b [u8], &'static str> {
    let length = usize::try_from(length).map_err(|_| CUT)?;
    let (first, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
    *bytes = rest;
    Ok(first)
}

fn fields(
    mut bytes: &[u8],
    mut each: impl FnMut(u64, Value<'_>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => Value::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = varint(&mut bytes)?;
                Value::Bytes(take(&mut bytes, length)?)
            }
            5 => Value::Bytes(take(&mut bytes, 4)?),
            _ => return Err("it is no SentencePiece model"),
        };
        each(key >> 3, value)?;
    }
    Ok(())
}

/// Reads a model. Only unigram models are of use here.
pub(super) fn read(bytes: &[u8]) -> Result<Model, &'static str> {
    let mut model = Model::default();
    let mut unigram = true;
    fields(bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(bytes)) => model.pieces.push(piece(bytes)?),
            // TrainerSpec: model_type (3), byte_fallback (35).
            (2, Value::Bytes(bytes)) => fields(bytes, |number, value| {
                match (number, value) {
                    (3, Value::Number(kind)) => unigram = kind == 1,
                    (35, Value::Number(on)) => model.byte_fallback = on != 0,
                    _ => {}
                }
                Ok(())
            })?,
            // NormalizerSpec: precompiled_charsmap (2).
            (3, Value::Bytes(bytes)) => fields(bytes, |number, value| {
                if let (2, Value::Bytes(map)) = (number, value) {
                    model.charsmap = map.to_vec();
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if !unigram {
        return Err("it is a SentencePiece model, but not of the unigram kind; take its tokenizer.json");
    }
    if model.pieces.is_empty() { Err("it is no SentencePiece model") } else { Ok(model) }
}

fn piece(bytes: &[u8]) -> Result<Piece, &'static str> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    fields(bytes, |number, value| {
        match (number, value) {
            (1, Value::Bytes(text)) => piece.text = String::from_utf8_lossy(text).into_owned(),
            (2, Value::Bytes(&[a, b, c, d])) => piece.score = f32::from_le_bytes([a, b, c, d]),
            (3, Value::Number(kind)) => {
                piece.kind = match kind {
                    1 => Kind::Normal,
                    2 => Kind::Unknown,
                    3 => Kind::Control,
                    _ => Kind::Other,
                };
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_foreign_files_are_one_sentence() {
        // A piece "▁a" with score -1.5, written by hand.
        let piece = [&[10u8, 4][..], "\u{2581}a".as_bytes(), &[21], &(-1.5f32).to_le_bytes()].concat();
        let file = [&[10u8, piece.len() as u8][..], &piece].concat();
        let model = read(&file).unwrap();
        assert_eq!(model.pieces[0], Piece { text: "\u{2581}a".into(), score: -1.5, kind: Kind::Normal });
        for end in 1..file.len() {
            assert!(read(&file[..end]).is_err(), "{end}");
        }
        assert!(read(b"not a model").is_err());
        assert!(read(&[10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
