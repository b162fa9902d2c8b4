//! `fcs-gui [LEFT RIGHT]`: the window.
fn main() {}
