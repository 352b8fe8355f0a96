//! Darknet `.weights`.
