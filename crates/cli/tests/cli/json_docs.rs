//! docs/json.md is made from the types that the command serializes, and what it prints is what that says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use syn::{Attribute, Fields, GenericArgument, Item, PathArguments, Type};

use super::environment::Environment;

const HEAD: &str = "\
# JSON, in full

What each command prints with `--json`: one document, in one line unless it goes to a terminal. This page is generated
from the types: `UPDATE=1 cargo test -p pitstop-cli json_docs` makes it anew.

Every document has `\"schema\": 1`. That number changes when a field is removed or changes its meaning; a program must
ignore fields that it does not know. `size` is always the length of a payload, `stored_size` what something takes on
the disk or in the store; both are in bytes.

| a | is |
| --- | --- |
| time | text, in UTC with microseconds: `\"2026-11-28T01:24:00.000000Z\"`. Python: `datetime.fromisoformat`. jq: `sub(\"\\\\.[0-9]+Z$\"; \"Z\") \\| fromdate` |
| revision | a number; in a plain session text, `~` and 16 hexadecimal digits |
| labels | an object: names and their values, which are text |
| path, error | text, for people; bytes that are not UTF-8 are replaced |
| state | `\"running\"`, `\"stopped\"`, `\"interrupted\"`, `\"failed\"`, `\"done\"` or `\"idle\"`; after `\"failed\"` there is also `exit_code`, a number. Absent where it is not known: in the listing of an object store without --details |
";

/// Each command, the type of its document, and words that make it print one.
const COMMANDS: &[(&str, &str, &[&str])] = &[
    ("save", "CheckpointReport", &["save", "job", "--file", "state", "-l", "step=1"]),
    ("load", "CheckpointReport", &["load", "job", "-o", "out"]),
    (
        "load --default, if nothing was ever saved",
        "DefaultReport",
        &["load", "new", "--default", "0", "-o", "out"],
    ),
    ("create", "Session", &["create", "made"]),
    ("convert", "ConvertReport", &["convert", "made", "--to", "plain"]),
    ("list", "ListReport", &["list", "--details"]),
    ("show", "ShowReport", &["show", "job"]),
    ("history", "HistoryReport", &["history", "job"]),
    ("status SESSION", "StatusReport", &["status", "failed"]),
    ("status", "StatusListReport", &["status"]),
    ("last", "Session", &["last", "job"]),
    ("unlock", "UnlockReport", &["unlock", "job"]),
    ("restore", "RestoreReport", &["restore", "job", "--revision", "1"]),
    ("fork", "Session", &["fork", "job", "--as", "forked"]),
    ("rename", "RenameReport", &["rename", "forked", "renamed"]),
    ("copy", "CopyReport", &["copy", "job", "--to", "backup"]),
    ("import", "CopyReport", &["import", "job.tar", "--as", "imported"]),
    ("export", "ExportReport", &["export", "job", "-o", "job.tar"]),
    ("verify", "VerifyReport", &["verify"]),
    ("remove", "RemovalReport<RemovedReport>", &["remove", "renamed"]),
    ("prune", "PruneReport", &["prune", "--keep", "1", "-n"]),
    ("prune --revisions", "PruneRevisionsReport", &["prune", "--revisions", "--keep", "1", "job"]),
    ("trash list", "TrashReport", &["trash", "list"]),
    ("trash restore", "TrashRestoreReport", &["trash", "restore", "renamed"]),
    ("trash empty", "EmptyReport", &["trash", "empty", "-n"]),
];

const SOURCES: &[&str] = &["crates/cli/src/report.rs", "crates/cli/src/commands", "src"];

/// A type that is serialized.
enum Shape {
    Struct(String, Vec<Field>),
    /// The values of an enum.
    Values(Vec<String>),
    /// Another type that stands for it.
    Same(Content),
}

#[derive(Clone)]
struct Field {
    name: String,
    value: Content,
    doc: String,
    is_flat: bool,
    may_be_absent: bool,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Named(String),
    List(Box<Content>),
    OrNull(Box<Content>),
}

impl Content {
    /// The same, with a type in the place of the parameter.
    fn with(&self, argument: Option<&str>) -> Self {
        match (self, argument) {
            (Self::Named(name), Some(argument)) if name == "T" => Self::Named(argument.to_owned()),
            (Self::List(it), _) => Self::List(Box::new(it.with(argument))),
            (Self::OrNull(it), _) => Self::OrNull(Box::new(it.with(argument))),
            (same, _) => same.clone(),
        }
    }
}

/// `RemovalReport<Kept>` as its two names.
fn base(name: &str) -> (&str, Option<&str>) {
    match name.strip_suffix('>').and_then(|it| it.split_once('<')) {
        Some((base, argument)) => (base, Some(argument)),
        None => (name, None),
    }
}

struct Shapes(BTreeMap<String, Shape>);

impl Shapes {
    fn read() -> Self {
        let mut shapes = Self(BTreeMap::new());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        SOURCES.iter().for_each(|it| shapes.read_from(&root.join(it)));
        let text = |name: &str, doc: &str| Field {
            name: name.to_owned(),
            value: Content::Named("String".to_owned()),
            doc: doc.to_owned(),
            is_flat: false,
            may_be_absent: false,
        };
        let location = Field {
            value: Content::OrNull(Box::new(Content::Named("PathBuf".to_owned()))),
            ..text("location", "Its directory; null in an object store.")
        };
        let session = vec![text("id", "The name of the session."), location];
        shapes.0.insert("Session".to_owned(), Shape::Struct("A session.".to_owned(), session));
        shapes
    }

    fn read_from(&mut self, path: &Path) {
        if path.is_dir() {
            let mut entries: Vec<_> =
                fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect();
            entries.sort();
            return entries.iter().for_each(|it| self.read_from(it));
        }
        if path.extension().is_none_or(|it| it != "rs") {
            return;
        }
        for item in syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap().items {
            match item {
                Item::Struct(it) if is_serialized(&it.attrs) => {
                    self.insert(it.ident.to_string(), of_struct(&it.attrs, &it.fields));
                }
                Item::Enum(it) if is_serialized(&it.attrs) => {
                    let name = |variant: &syn::Variant| {
                        let lower = variant.ident.to_string().to_lowercase();
                        option(&variant.attrs, "rename").unwrap_or(lower)
                    };
                    let shape = match option(&it.attrs, "into") {
                        Some(other) => Shape::Same(Content::Named(other)),
                        None => Shape::Values(it.variants.iter().map(name).collect()),
                    };
                    self.insert(it.ident.to_string(), shape);
                }
                _ => (),
            }
        }
    }

    /// A name that two types have leads to neither.
    fn insert(&mut self, name: String, shape: Shape) {
        let other = self.0.insert(name.clone(), shape);
        if other.is_some() {
            self.0.insert(name, Shape::Values(vec!["two types have this name".to_owned()]));
        }
    }

    /// The fields of a type, with those of the types that are flat in it.
    fn fields(&self, name: &str) -> Vec<Field> {
        let (base, argument) = base(name);
        match self.0.get(base) {
            Some(Shape::Struct(_, fields)) => {
                let of = |it: &Field| Field { value: it.value.with(argument), ..it.clone() };
                fields.iter().flat_map(|it| self.flat(of(it))).collect()
            }
            Some(Shape::Same(Content::Named(other))) => self.fields(other),
            _ => panic!("{name} is no struct that is serialized"),
        }
    }

    fn flat(&self, field: Field) -> Vec<Field> {
        let (name, is_optional) = match &field.value {
            Content::Named(name) => (name, false),
            Content::OrNull(it) | Content::List(it) => match &**it {
                Content::Named(name) => (name, true),
                _ => return vec![field],
            },
        };
        if !field.is_flat || name == "ProgramState" {
            return vec![field];
        }
        let of = |it: Field| Field { may_be_absent: it.may_be_absent || is_optional, ..it };
        self.fields(name).into_iter().map(of).collect()
    }

    /// The struct that a field leads to, if it does.
    fn section(&self, value: &Content) -> Option<String> {
        match value {
            Content::List(it) | Content::OrNull(it) => self.section(it),
            Content::Named(name) => match self.0.get(base(name).0) {
                Some(Shape::Struct(..)) => Some(name.clone()),
                Some(Shape::Same(other)) => self.section(other),
                _ => None,
            },
        }
    }

    fn words(&self, value: &Content) -> String {
        let name = match value {
            Content::List(it) => return format!("list of {}", self.words(it)),
            Content::OrNull(it) => return format!("{} or null", self.words(it)),
            Content::Named(name) => name,
        };
        let word = match name.as_str() {
            "String" | "str" | "SessionId" | "Digest" | "OsString" => "text",
            "u8" | "u32" | "u64" | "usize" | "i32" => "number",
            "bool" => "true or false",
            "SystemTime" => "time",
            "Revision" => "revision",
            "Labels" => "labels",
            "PathBuf" => "path",
            "Error" => "error",
            "ProgramState" => "state",
            "BTreeMap" => "object: names and numbers",
            _ => return self.words_of_type(name),
        };
        word.to_owned()
    }

    fn words_of_type(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Shape::Values(values)) => {
                values.iter().map(|it| format!("`\"{it}\"`")).collect::<Vec<_>>().join(", ")
            }
            Some(Shape::Same(other)) => self.words(other),
            Some(Shape::Struct(..)) => {
                format!("[{}](#{})", title(name), title(name).replace(' ', "-"))
            }
            None => panic!("nothing is known of {name}"),
        }
    }

    /// Holds what was printed against the type.
    fn check(&self, document: &Value, value: &Content, place: &str) {
        match (document, value) {
            (Value::Null, Content::OrNull(_)) => (),
            (_, Content::OrNull(it)) => self.check(document, it, place),
            (Value::Array(all), Content::List(it)) => {
                all.iter().for_each(|one| self.check(one, it, place))
            }
            (Value::Object(object), Content::Named(_)) => {
                let Some(name) = self.section(value) else { return };
                let fields = self.fields(&name);
                for (key, value) in object {
                    let field = fields.iter().find(|it| it.name == *key);
                    let is_state = key == "exit_code" || key == "schema";
                    assert!(field.is_some() || is_state, "{place}.{key} is in no document");
                    if let Some(field) = field {
                        self.check(value, &field.value, &format!("{place}.{key}"));
                    }
                }
                for field in fields.iter().filter(|it| !it.may_be_absent) {
                    assert!(object.contains_key(&field.name), "{place}.{} is missing", field.name);
                }
            }
            (Value::String(text), Content::Named(name)) if name == "SystemTime" => {
                let digits = text.split_once('.').map_or(0, |(_, rest)| rest.len());
                assert_eq!(digits, "123456Z".len(), "{place}: {text}");
            }
            (document, Content::Named(name)) => {
                let is = match self.words(value).as_str() {
                    "number" => document.is_number(),
                    "true or false" => document.is_boolean(),
                    "revision" => document.is_number() || document.is_string(),
                    _ => document.is_string(),
                };
                assert!(is, "{place} is {document}, and no {name}");
            }
            (document, value) => panic!("{place} is {document}, and no {value:?}"),
        }
    }
}

/// `CheckpointReport` as `checkpoint`.
fn title(name: &str) -> String {
    let name = ["Report", "Fields", "Json"].iter().fold(name, |it, end| it.trim_end_matches(end));
    let mut title = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !title.is_empty() {
            title.push(' ');
        }
        title.extend(letter.to_lowercase());
    }
    title
}

fn is_serialized(attributes: &[Attribute]) -> bool {
    let mut is = false;
    for attribute in attributes.iter().filter(|it| it.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|it| {
            is |= it.path.segments.last().is_some_and(|it| it.ident == "Serialize");
            Ok(())
        });
    }
    is
}

fn of_struct(attributes: &[Attribute], fields: &Fields) -> Shape {
    if let Some(other) = option(attributes, "into") {
        return Shape::Same(Content::Named(other));
    }
    let Fields::Named(named) = fields else {
        let of = |it: &syn::Field| match option(&it.attrs, "with") {
            Some(other) => Content::Named(other),
            None => value_of(&it.ty),
        };
        return Shape::Same(fields.iter().next().map_or(Content::Named("bool".to_owned()), of));
    };
    let field = |it: &syn::Field| Field {
        name: option(&it.attrs, "rename").unwrap_or_else(|| it.ident.as_ref().unwrap().to_string()),
        value: match option(&it.attrs, "serialize_with").as_deref() {
            Some("as_id") => Content::Named("SessionId".to_owned()),
            Some("json::seconds") => Content::Named("SystemTime".to_owned()),
            _ => value_of(&it.ty),
        },
        doc: doc(&it.attrs),
        is_flat: option(&it.attrs, "flatten").is_some(),
        may_be_absent: option(&it.attrs, "skip_serializing_if").is_some()
            || (option(&it.attrs, "flatten").is_some() && is_option(&it.ty)),
    };
    let wanted = named.named.iter().filter(|it| option(&it.attrs, "skip").is_none());
    Shape::Struct(doc(attributes), wanted.map(field).collect())
}

fn is_option(ty: &Type) -> bool {
    matches!(value_of(ty), Content::OrNull(_))
}

/// The value of an option of `#[serde(...)]`.
fn option(attributes: &[Attribute], wanted: &str) -> Option<String> {
    let mut found = None;
    for attribute in attributes.iter().filter(|it| it.path().is_ident("serde")) {
        let _ = attribute.parse_nested_meta(|it| {
            let text = match it.value() {
                Ok(value) => value.parse::<syn::LitStr>().map(|it| it.value()).unwrap_or_default(),
                Err(_) => String::new(),
            };
            if it.path.is_ident(wanted) {
                found = Some(text);
            }
            Ok(())
        });
    }
    found
}

/// The first paragraph of a doc comment, without links to code.
fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident("doc")) {
        if let syn::Meta::NameValue(it) = &attribute.meta
            && let syn::Expr::Lit(it) = &it.value
            && let syn::Lit::Str(it) = &it.lit
        {
            lines.push(it.value().trim().to_owned());
        }
    }
    let text = lines.split(String::is_empty).next().unwrap_or_default().join(" ");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        plain += before;
        let (name, after) = after.split_once(']').unwrap_or((after, ""));
        plain += name;
        rest =
            after.strip_prefix('(').and_then(|it| it.split_once(')')).map_or(after, |(_, it)| it);
    }
    (plain + rest).replace('|', "\\|").replace("`None`", "null")
}

fn value_of(ty: &Type) -> Content {
    match ty {
        Type::Reference(it) => value_of(&it.elem),
        Type::Slice(it) => Content::List(Box::new(value_of(&it.elem))),
        Type::Tuple(it) => Content::List(Box::new(value_of(&it.elems[0]))),
        Type::Path(it) => {
            let last = it.path.segments.last().unwrap();
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(it) => it.args.iter().find_map(|it| match it {
                    GenericArgument::Type(it) => Some(value_of(it)),
                    _ => None,
                }),
                _ => None,
            };
            match (last.ident.to_string().as_str(), inner) {
                ("Option", Some(inner)) => Content::OrNull(Box::new(inner)),
                ("Vec", Some(inner)) => Content::List(Box::new(inner)),
                ("Box", Some(inner)) => inner,
                ("RemovalReport", Some(Content::Named(inner))) => {
                    Content::Named(format!("RemovalReport<{inner}>"))
                }
                (name, _) => Content::Named(name.to_owned()),
            }
        }
        _ => Content::Named("unknown".to_owned()),
    }
}

fn page(shapes: &Shapes) -> String {
    let mut text = HEAD.to_owned();
    let mut sections: Vec<String> = Vec::new();
    for (command, name, _) in COMMANDS {
        let _ = writeln!(text, "\n## pitstop {command}\n");
        table(shapes, name, &mut text, &mut sections);
    }
    let mut done = 0;
    let mut parts = BTreeMap::new();
    while let Some(name) = sections.get(done).cloned() {
        let mut part = String::new();
        let Some(Shape::Struct(doc, _)) = shapes.0.get(&name) else { panic!("{name}") };
        let _ = writeln!(part, "\n### {}\n\n{doc}\n", title(&name));
        table(shapes, &name, &mut part, &mut sections);
        parts.insert(title(&name), part);
        done += 1;
    }
    text += "\n## Parts\n";
    text.extend(parts.into_values());
    text
}

fn table(shapes: &Shapes, name: &str, text: &mut String, sections: &mut Vec<String>) {
    text.push_str("| field | value | meaning |\n| --- | --- | --- |\n");
    for field in shapes.fields(name) {
        assert!(!field.doc.is_empty(), "{name}.{} has no doc comment", field.name);
        let absent = if field.may_be_absent { "; may be absent" } else { "" };
        let words = shapes.words(&field.value);
        let _ = writeln!(text, "| `{}` | {words}{absent} | {} |", field.name, field.doc);
        if let Some(section) = shapes.section(&field.value)
            && !sections.contains(&section)
        {
            sections.push(section);
        }
    }
}

#[test]
fn json_docs_are_up_to_date() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let page = page(&Shapes::read());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(place, &page).unwrap();
    }
    let there = fs::read_to_string(place).unwrap_or_default();
    assert!(
        there == page,
        "docs/json.md is out of date: `UPDATE=1 cargo test -p pitstop-cli json_docs` makes it anew"
    );
}

#[test]
fn what_is_printed_is_what_is_documented() {
    let it = Environment::new();
    fs::write(it.path().join("state"), "one").unwrap();
    it.run(["save", "-qc", "job", "state"]).code(0);
    it.run(["create", "new"]).code(0);
    it.run(["run", "-qc", "failed", "--", "false"]).code(1);
    it.run(["export", "-q", "job", "-o", "job.tar"]).code(0);
    fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    let shapes = Shapes::read();
    for (command, name, words) in COMMANDS {
        let ended = it.run(words.iter().chain(&["--json"]));
        let document = ended.json();
        assert_eq!(document["schema"], 1, "{command}: {ended}");
        shapes.check(&document, &Content::Named((*name).to_owned()), command);
    }
}
