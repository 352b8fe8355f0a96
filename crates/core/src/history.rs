//! Undo and redo of any invertible edit, capped by memory, not by number.

use std::collections::VecDeque;

/// An edit that can be taken back.
pub trait Edit {
    /// The edit that undoes this one.
    #[must_use]
    fn inverted(&self) -> Self;
    /// Memory that keeping it costs.
    fn bytes(&self) -> usize;
}

/// Done and undone edits, oldest forgotten first when `max_bytes` is passed; the newest is always kept.
#[derive(Debug, Clone, PartialEq)]
pub struct History<E> {
    done: VecDeque<E>,
    undone: Vec<E>,
    bytes: usize,
    max_bytes: usize,
}

impl<E: Edit + Clone> History<E> {
    /// An empty history.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { done: VecDeque::new(), undone: Vec::new(), bytes: 0, max_bytes }
    }

    /// Notes an edit that has been made. What had been undone can no longer be redone.
    pub fn push(&mut self, edit: E) {
        for e in self.undone.drain(..) {
            self.bytes -= e.bytes();
        }
        self.bytes += edit.bytes();
        self.done.push_back(edit);
        while self.bytes > self.max_bytes && self.done.len() > 1 {
            if let Some(oldest) = self.done.pop_front() {
                self.bytes -= oldest.bytes();
            }
        }
    }

    /// The edit to carry out to undo the last one.
    pub fn undo(&mut self) -> Option<E> {
        let edit = self.done.pop_back()?;
        let back = edit.inverted();
        self.undone.push(edit);
        Some(back)
    }

    /// The edit to carry out to redo what was undone last.
    pub fn redo(&mut self) -> Option<E> {
        let edit = self.undone.pop()?;
        self.done.push_back(edit.clone());
        Some(edit)
    }

    /// Done edits, oldest first.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = &E> {
        self.done.iter()
    }

    /// Undone edits, the next to redo last.
    pub fn undone(&self) -> impl DoubleEndedIterator<Item = &E> {
        self.undone.iter()
    }

    /// Whether there is something to undo.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.done.is_empty()
    }

    /// Whether there is something to redo.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.undone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Add(i32);
    impl Edit for Add {
        fn inverted(&self) -> Self {
            Self(-self.0)
        }
        fn bytes(&self) -> usize {
            10
        }
    }

    #[test]
    fn undo_redo_and_a_new_edit_forgets_the_redo() {
        let mut h = History::new(1000);
        h.push(Add(1));
        h.push(Add(2));
        assert_eq!(h.undo(), Some(Add(-2)));
        assert_eq!(h.redo(), Some(Add(2)));
        assert_eq!(h.undo(), Some(Add(-2)));
        h.push(Add(3));
        assert!(!h.can_redo());
        assert_eq!((h.undo(), h.undo(), h.undo()), (Some(Add(-3)), Some(Add(-1)), None));
    }

    #[test]
    fn memory_is_the_limit() {
        let mut h = History::new(25);
        (0..5).for_each(|i| h.push(Add(i)));
        assert_eq!(h.done().count(), 2);
        let mut tiny = History::new(1);
        tiny.push(Add(1));
        assert!(tiny.can_undo());
    }
}
