//! The way from a root to the folder opened last, the end of it kept open so that the next folder costs few opens.
//!
//! Invariants: every folder is reached by its names from the root handle, one at a time, without following links; and
//! never more than [`MOST_OPEN`] folders are open, however deep the tree is.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use fcs_sys::{DirRef, Name, RelPath};

/// Folders kept open, the deepest ones. A tree's folders follow each other closely, so going up further than this, which
/// walks down again from the root, is rare. A limit of 64 open files, the smallest in use, leaves room for several ways.
const MOST_OPEN: usize = 8;

/// Folders below one root, opened in the order of a tree.
pub(crate) struct DirCursor {
    root: DirRef,
    names: Vec<Name>,
    /// The last of `names`, open.
    open: VecDeque<DirRef>,
}

impl DirCursor {
    pub(crate) fn new(root: &DirRef) -> Self {
        Self { root: Arc::clone(root), names: Vec::new(), open: VecDeque::new() }
    }

    /// Opens a folder.
    pub(crate) fn open(&mut self, path: &RelPath) -> io::Result<DirRef> {
        let shared = self.names.iter().zip(path.names()).take_while(|(open, name)| *open == name).count();
        while self.names.len() > shared {
            self.names.pop();
            self.open.pop_back();
        }
        if self.open.is_empty() {
            // Further up than what is open: from the root.
            self.names.clear();
        }
        let known = self.names.len();
        for name in path.names().skip(known) {
            let next = self.here().open_dir(&name)?;
            if self.open.len() == MOST_OPEN {
                self.open.pop_front();
            }
            self.open.push_back(next);
            self.names.push(name);
        }
        Ok(Arc::clone(self.here()))
    }

    fn here(&self) -> &DirRef {
        self.open.back().unwrap_or(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcs_sys::open_root;

    fn path(depth: usize, last: &str) -> RelPath {
        let mut text = "d/".repeat(depth);
        text.push_str(last);
        RelPath::parse(text.as_bytes()).unwrap()
    }

    /// E14: the depth of a tree costs no open files.
    #[test]
    fn e14_a_way_keeps_few_folders_open_and_finds_each_again() {
        let tmp = tempfile::tempdir().unwrap();
        let deepest = 60;
        std::fs::create_dir_all(tmp.path().join("d/".repeat(deepest))).unwrap();
        for depth in 0..deepest {
            std::fs::create_dir(tmp.path().join("d/".repeat(depth)).join("side")).unwrap();
        }
        let root = open_root(tmp.path()).unwrap();
        let mut way = DirCursor::new(&root.dir);
        let number = |dir: &DirRef| dir.metadata().unwrap().id;
        // Down, and up again with a folder beside the way at each level.
        for depth in (0..deepest).chain((0..deepest).rev()) {
            for last in ["side", "d"] {
                let found = way.open(&path(depth, last)).unwrap();
                let alone = path(depth, last)
                    .names()
                    .try_fold(Arc::clone(&root.dir), |dir, name| dir.open_dir(&name));
                assert_eq!(number(&found), number(&alone.unwrap()), "{depth} {last}");
                assert!(way.open.len() <= MOST_OPEN);
            }
        }
        assert!(way.open(&path(3, "none")).is_err());
        assert_eq!(number(&way.open(&RelPath::root()).unwrap()), number(&root.dir));
    }
}
