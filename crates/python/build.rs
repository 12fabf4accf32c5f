//! Makes the docstrings of the stub available to the extension module, as the macro `doc!`.

use std::fmt::Write as _;
use std::{env, fs, io};

const STUB: &str = "python/pitstop/_pitstop.pyi";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={STUB}");
    println!("cargo::rerun-if-changed=build.rs");
    let mut code = "macro_rules! doc {\n".to_owned();
    for (name, text) in docstrings(&fs::read_to_string(STUB)?) {
        let _ = writeln!(code, "    ({name}) => {{ r####\"{text}\"#### }};");
    }
    code.push_str("}\n");
    let directory = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(std::path::Path::new(&directory).join("doc.rs"), code)
}

/// Every docstring in the stub, by `Class`, `Class.method` or `function`.
fn docstrings(stub: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut class, mut name) = (String::new(), String::new());
    let mut lines = stub.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("class ") {
            class = word(rest);
            name.clone_from(&class);
        } else if let Some(rest) = line.strip_prefix("def ") {
            name = word(rest);
        } else if let Some(rest) = line.strip_prefix("    def ") {
            name = format!("{class}.{}", word(rest));
        } else if let Some(rest) = line.trim_start().strip_prefix("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let mut text = rest.to_owned();
            while !text.ends_with("\"\"\"") {
                let Some(line) = lines.next() else { break };
                text.push('\n');
                text.push_str(line.get(indent..).unwrap_or_default());
            }
            // The docstring of a constant follows the one of its class or of a method.
            if found.last().is_none_or(|(last, _)| *last != name) {
                found.push((name.clone(), text.trim_end_matches('"').trim_end().to_owned()));
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}
