//! The window of FolderCompareSync: draws what [`fcs_view`] holds, and turns clicks and keys into calls of it.
