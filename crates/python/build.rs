//! macOS must be told that the interpreter brings its symbols when it imports the module; elsewhere this adds nothing.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
