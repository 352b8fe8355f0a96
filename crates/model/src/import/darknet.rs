//! Darknet `.weights`: a version, the number of images seen, then the numbers of each convolution in the order of
//! the `.cfg`, f32. The file names nothing, so the card's `.cfg` says what lies where.

use super::floats::Kind;
use super::{Container, Found};
use crate::arch::Shapes;
use std::path::Path;

/// A file in memory.
pub(crate) struct Weights {
    data: Vec<u8>,
    found: Vec<Found>,
    /// First byte of each tensor.
    places: Vec<usize>,
}

impl Weights {
    pub(crate) fn open(path: &Path, order: &Shapes) -> Result<Self, String> {
        let data = std::fs::read(path).map_err(|e| e.to_string())?;
        let word = |at: usize| data.get(at..at + 4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let (Some(major), Some(minor), Some(_)) = (word(0), word(4), word(8)) else {
            return Err("it is too short for Darknet weights".into());
        };
        if !(0..100).contains(&major) || !(0..100).contains(&minor) {
            return Err("it is no Darknet .weights file".into());
        }
        // Since version 0.2 the count of images has 8 bytes.
        let mut at = if major * 10 + minor >= 2 { 20 } else { 16 };
        let (mut found, mut places) = (Vec::with_capacity(order.len()), Vec::with_capacity(order.len()));
        for (name, shape) in order {
            found.push(Found { name: name.clone(), shape: shape.clone() });
            places.push(at);
            at += 4 * shape.iter().product::<usize>();
        }
        if at != data.len() {
            return Err(format!("its length is {} bytes, but the card's cfg needs {at}", data.len()));
        }
        Ok(Self { data, found, places })
    }
}

impl Container for Weights {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let n = 4 * self.found[index].shape.iter().product::<usize>();
        let part = self.data.get(self.places[index]..).and_then(|d| d.get(..n)).ok_or("it is cut short")?;
        Ok(Kind::F32.floats(part))
    }

    fn kind(&self) -> &'static str {
        "Darknet"
    }
}
