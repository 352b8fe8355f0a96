//! Files made byte by byte, so that they may be right, odd or hostile: what comes out of them is compared with what was
//! put in.

mod archives;
mod codecs;
mod fuzzed;
mod geometry;
mod hostile;
mod meaning;
mod mosaics;
mod outcome;
mod real;
mod resample;
mod series;
mod splitting;
mod writer;
