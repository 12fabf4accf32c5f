//! The code keeps to ARCHITECTURE.md: arrows point down, no circles, short files and functions.

mod arrows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrows::{Arrows, Module};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The drawing in ARCHITECTURE.md: the modules of each floor, the highest first.
fn floors() -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let drawing = page.split("```floors\n").nth(1).expect("the drawing").split("```").next();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    drawing.unwrap().lines().map(words).collect()
}

#[test]
fn arrows_point_down() {
    let floors = floors();
    let floor = |module: &str| floors.iter().position(|it| it.iter().any(|word| word == module));
    let arrows = Arrows::of(&root().join("src"));
    for module in arrows.modules().filter_map(|it| it.first()) {
        assert!(floor(module).is_some(), "{module} is not in the drawing of ARCHITECTURE.md");
    }
    let mut wrong = BTreeSet::new();
    for (from, to) in arrows.iter() {
        let (Some(above), Some(below)) = (from.first(), to.first()) else { continue };
        if above != below && floor(above) >= floor(below) {
            wrong.insert(format!("{} -> {}", from.join("::"), to.join("::")));
        }
    }
    assert!(wrong.is_empty(), "arrows that do not point down: {wrong:#?}");
}

#[test]
fn no_new_files_make_a_circle() {
    // To be cut: directory/{lock,root,open}, object/{lease,format/head,format/keys,list,cache}.
    let known = ["directory", "object"];
    let circles = Arrows::of(&root().join("src")).circles();
    let is_known = |it: &&String| known.iter().any(|place| it.starts_with(place));
    let new: Vec<_> = circles.iter().filter(|it| !is_known(it)).collect();
    assert!(new.is_empty(), "circles: {new:#?}");
}

/// A file below a directory takes nothing from that directory's `mod.rs`, which takes from all of them.
#[test]
fn no_file_of_directory_imports_its_roof() {
    let arrows = Arrows::of(&root().join("src"));
    let roof: Module = vec!["directory".to_owned()];
    let wrong: Vec<_> = arrows.iter().filter(|(from, to)| **to == roof && from.len() > 1).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_names_every_place_and_no_other() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut mapped: BTreeMap<String, PathBuf> = BTreeMap::new();
    for row in rows {
        let place = row.split('|').nth(1).unwrap();
        let mut base = PathBuf::new();
        for name in place.split('`').skip(1).step_by(2) {
            // `src/a.rs`, `b.rs`: the second is beside the first.
            let beside = base.join(name);
            let path = if root().join(&beside).exists() { beside } else { PathBuf::from(name) };
            base = path.parent().unwrap_or(Path::new("")).to_owned();
            assert!(root().join(&path).exists(), "{} is in the map alone", path.display());
            mapped.insert(path.display().to_string().trim_end_matches('/').to_owned(), path);
        }
    }
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = format!("src/{}", entry.unwrap().file_name().to_str().unwrap());
        let is_mapped = mapped.contains_key(&name) || name == "src/lib.rs";
        assert!(is_mapped, "{name} is not in the map of ARCHITECTURE.md");
    }
}
