//! Which module of a crate takes something from which other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree};

/// The path of a module in its crate; the crate's root is empty.
pub(super) type Module = Vec<String>;

pub(super) struct Arrows {
    modules: BTreeMap<Module, BTreeSet<Module>>,
}

impl Arrows {
    /// Reads the sources below a directory. What is there for tests alone does not count.
    pub(super) fn of(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        read(source, &mut Vec::new(), &mut texts);
        let known: BTreeSet<Module> = texts.keys().cloned().collect();
        let modules = texts.into_iter().map(|(module, text)| {
            let mut paths = Paths::default();
            paths.visit_file(&syn::parse_file(&text).unwrap());
            let targets = paths.found.iter().filter_map(|path| resolve(path, &module, &known));
            let others = targets.filter(|it| *it != module).collect();
            (module, others)
        });
        Self { modules: modules.collect() }
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.keys()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.modules.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
    }

    /// The modules that lead back to themselves. A module and what is inside it count as one.
    pub(super) fn circles(&self) -> BTreeSet<String> {
        let mut circles = BTreeSet::new();
        for start in self.modules() {
            let (mut seen, mut next) = (BTreeSet::new(), self.beside(start));
            while let Some(module) = next.pop() {
                if module == start {
                    circles.insert(start.join("::"));
                } else if seen.insert(module) {
                    next.extend(self.beside(module));
                }
            }
        }
        circles
    }

    fn beside(&self, from: &Module) -> Vec<&Module> {
        let is_beside = |to: &&Module| !to.starts_with(from) && !from.starts_with(to);
        self.modules.get(from).into_iter().flatten().filter(is_beside).collect()
    }
}

fn read(directory: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            module.push(name);
            read(&path, module, texts);
            module.pop();
        } else if path.extension().is_some_and(|it| it == "rs") {
            let mut of_file = module.clone();
            if !matches!(name.as_str(), "mod" | "lib" | "main") {
                of_file.push(name);
            }
            texts.insert(of_file, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The module that a path in another one leads into.
fn resolve(path: &[String], from: &Module, known: &BTreeSet<Module>) -> Option<Module> {
    let (mut module, mut rest) = match path.first()?.as_str() {
        "crate" => (Module::new(), &path[1..]),
        "self" => (from.clone(), &path[1..]),
        "super" => (from.clone(), path),
        first if known.contains(&[from.as_slice(), &[first.to_owned()]].concat()) => {
            (from.clone(), path)
        }
        _ => return None,
    };
    while let Some(("super", tail)) = rest.split_first().map(|(name, tail)| (name.as_str(), tail)) {
        module.pop();
        rest = tail;
    }
    for name in rest {
        module.push(name.clone());
        if !known.contains(&module) {
            module.pop();
            break;
        }
    }
    Some(module)
}

/// Every path in a file that may lead to another.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl Paths {
    fn take(&mut self, tree: &UseTree, mut prefix: Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.take(&path.tree, prefix);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.take(tree, prefix.clone()));
            }
            UseTree::Name(name) => {
                prefix.push(name.ident.to_string());
                self.found.push(prefix);
            }
            UseTree::Rename(name) => {
                prefix.push(name.ident.to_string());
                self.found.push(prefix);
            }
            UseTree::Glob(_) => {
                prefix.push("*".to_owned());
                self.found.push(prefix);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.take(&item.tree, Vec::new());
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, item);
        }
    }

    // `pub(super)` takes nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|it| it.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|it| it == "test")
}
