//! How long files and functions are.

use std::fs;
use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn};

const FILE: usize = 500;
const FUNCTION: usize = 70;

/// The files that nobody reads in one sitting, and the functions outside tests.
pub(super) fn too_long(place: &Path) -> Vec<String> {
    let mut long = Vec::new();
    look(place, &mut long);
    long
}

fn look(path: &Path, long: &mut Vec<String>) {
    if path.is_dir() {
        if path.ends_with("target") {
            return;
        }
        for entry in fs::read_dir(path).unwrap() {
            look(&entry.unwrap().path(), long);
        }
    } else if path.extension().is_some_and(|it| it == "rs") {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().count();
        if lines > FILE {
            long.push(format!("{}: {lines} lines", path.display()));
        }
        if !path.components().any(|it| it.as_os_str() == "tests") {
            let mut functions = Functions { path, long };
            functions.visit_file(&syn::parse_file(&text).unwrap());
        }
    }
}

struct Functions<'a> {
    path: &'a Path,
    long: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn check(&mut self, name: &syn::Ident, body: &syn::Block) {
        let span = body.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION {
            self.long.push(format!("{}: {name}: {lines} lines", self.path.display()));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.check(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.check(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}
