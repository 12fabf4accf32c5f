use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pretty;

/// A JSON text, kept as it was written: the order of its members and all digits of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Gives the text back if it is not JSON.
    pub(super) fn new(text: String) -> Result<Self, String> {
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text.trim().to_owned())),
            Err(_) => Err(text),
        }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a string, without quotes and escapes; `None` if this is something else.
    pub fn as_text(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok()
    }

    /// The same JSON on many lines, indented, as people read it.
    pub fn pretty(&self) -> impl fmt::Display {
        pretty::Pretty(&self.0)
    }

    /// A part of it, by a path: a JSON pointer (RFC 6901) if it begins with a slash,
    /// `/results/disk~1speed/0`, else names and numbers with dots between, `metadata.flags.0`. The empty
    /// path and `.` are the whole. Of two members of one name it is the last.
    ///
    /// # Errors
    /// [`NoSuchPart`] if there is none.
    pub fn part(&self, path: &str) -> Result<Self, NoSuchPart> {
        let names: Vec<Cow<'_, str>> = match path.strip_prefix('/') {
            _ if path.is_empty() || path == "." => Vec::new(),
            Some(pointer) => pointer.split('/').map(unescaped).collect(),
            None => path.split('.').map(Cow::Borrowed).collect(),
        };
        let mut part = self.raw().ok_or_else(|| NoSuchPart::new(path, "", None))?;
        for name in &names {
            part = member(part, name).ok_or_else(|| NoSuchPart::new(path, name, Some(part)))?;
        }
        Ok(Self(part.get().to_owned()))
    }

    pub(super) fn raw(&self) -> Option<&RawValue> {
        serde_json::from_str(&self.0).ok()
    }
}

fn unescaped(name: &str) -> Cow<'_, str> {
    match name.contains('~') {
        true => name.replace("~1", "/").replace("~0", "~").into(),
        false => name.into(),
    }
}

/// Of a JSON text there is no part by such a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no '{name}' by the path '{path}'; {instead}")]
#[non_exhaustive]
pub struct NoSuchPart {
    /// The path.
    pub path: String,
    /// The first name in it that leads nowhere.
    pub name: String,
    /// What there is in its place.
    pub instead: String,
}

impl NoSuchPart {
    fn new(path: &str, name: &str, there: Option<&RawValue>) -> Self {
        const SHOWN: usize = 12;
        let (mut names, mut count) = (Vec::new(), 0);
        let mut is_list = false;
        each(there, |key, _| {
            count += 1;
            match key {
                Key::Name(name) if names.len() < SHOWN => names.push(name.into_owned()),
                Key::Name(_) => (),
                Key::Index(_) => is_list = true,
            }
        });
        let instead = match there.map(|it| it.get().as_bytes()[0]) {
            Some(b'[') if is_list => format!("there is a list from 0 to {}", count - 1),
            Some(b'[') => "there is an empty list".to_owned(),
            Some(b'{') if count > SHOWN => {
                format!("there are {} and {} more", names.join(", "), count - SHOWN)
            }
            Some(b'{') if count > 0 => format!("there are {}", names.join(", ")),
            Some(b'{') => "there is an object without members".to_owned(),
            _ => "there is a single value".to_owned(),
        };
        Self { path: path.to_owned(), name: name.to_owned(), instead }
    }
}

/// Where something is in what holds it.
pub(super) enum Key<'a> {
    Name(Cow<'a, str>),
    Index(usize),
}

/// A member of an object by its name, or an item of a list by its number.
pub(super) fn member<'a>(of: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let mut found = None;
    let index = name.parse().ok().filter(|index: &usize| index.to_string() == name);
    each(Some(of), |key, value| {
        let same = match key {
            Key::Name(key) => key == name,
            Key::Index(key) => Some(key) == index,
        };
        found = if same { Some(value) } else { found };
    });
    found
}

/// Calls `f` for each member of an object or item of a list, in their order; never for anything else.
/// Nothing is kept of what was passed, so that no JSON, however made, takes more memory than its text.
pub(super) fn each<'a>(of: Option<&'a RawValue>, f: impl FnMut(Key<'a>, &'a RawValue)) {
    if let Some(of) = of {
        // Its text was found to be JSON: what fails here is neither an object nor a list.
        let _ = serde_json::Deserializer::from_str(of.get()).deserialize_any(Each(f));
    }
}

struct Each<F>(F);

impl<'a, F: FnMut(Key<'a>, &'a RawValue)> Visitor<'a> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            self.0(Key::Name(key), value);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = list.next_element()? {
            self.0(Key::Index(index), value);
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::new(text.to_owned()).unwrap()
    }

    #[test]
    fn a_part_is_found_by_either_kind_of_path() {
        let it = json(
            r#" {"a": {"b/c": [10, 1e400], "~": null, "": "x\ty"}, "a.b": 1, "a": {"z": [2]}} "#,
        );
        for (path, part) in [("a.z.0", "2"), ("/a/z/0", "2"), ("/a.b", "1"), ("/a/z", "[2]")] {
            assert_eq!(it.part(path).unwrap().as_str(), part, "{path}");
        }
        let it = json(r#"{"a": {"b/c": [10, 1e400], "~": null, "": "x\ty"}}"#);
        for (path, part) in [("/a/b~1c/1", "1e400"), ("a.b/c.0", "10"), ("/a/~0", "null")] {
            assert_eq!(it.part(path).unwrap().as_str(), part, "{path}");
        }
        assert_eq!(it.part("/a/").unwrap().as_text(), Some("x\ty".to_owned()));
        assert_eq!((it.part("").unwrap(), it.part(".").unwrap()), (it.clone(), it.clone()));
    }

    #[test]
    fn a_path_that_leads_nowhere_tells_what_is_there() {
        let it = json(r#"{"a": {"one": 1, "two": 2}, "list": [1, 2, 3], "none": [], "empty": {}}"#);
        for (path, name, instead) in [
            ("a.three", "three", "there are one, two"),
            ("/list/3", "3", "there is a list from 0 to 2"),
            ("list.01", "01", "there is a list from 0 to 2"),
            ("none.0", "0", "there is an empty list"),
            ("empty.x", "x", "there is an object without members"),
            ("a.one.x", "x", "there is a single value"),
        ] {
            let error = it.part(path).unwrap_err();
            assert_eq!((error.name.as_str(), error.instead.as_str()), (name, instead), "{path}");
        }
    }
}
