//! Lets the server build on a machine without Node: where the web UI has not been built, a page that says how stands in.

use std::{fs, io, path::Path};

const PLACEHOLDER: &str = include_str!("ui/placeholder.html");

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=ui/placeholder.html");
    println!("cargo::rerun-if-changed=ui/dist");
    let dist = Path::new("ui/dist");
    if !dist.join("index.html").exists() {
        fs::create_dir_all(dist)?;
        fs::write(dist.join("index.html"), PLACEHOLDER)?;
    }
    Ok(())
}
