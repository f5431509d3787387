//! A flat JSON-LD graph, in the same bytes wherever it is made: keys in order (which `serde_json`'s own
//! maps do not promise, a feature of it turns their order around), and nothing hidden in the text.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::text::is_hidden;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Item {
    Text(String),
    Number(u64),
    List(Vec<Item>),
    Object(Object),
}

/// A JSON object, its keys in bytewise order.
pub(crate) type Object = BTreeMap<&'static str, Item>;

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Item {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Object> for Item {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// A node of a type.
pub(crate) fn node(id: &str, ty: &str) -> Object {
    Object::from([("@id", id.into()), ("@type", ty.into())])
}

/// A reference to a node.
pub(crate) fn reference(id: &str) -> Item {
    Object::from([("@id", id.into())]).into()
}

/// References to nodes: one alone, as compacted JSON-LD has it, or a list; nothing for none.
pub(crate) fn references<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<Item> {
    let mut items: Vec<Item> = ids.into_iter().map(reference).collect();
    match items.len() {
        0 | 1 => items.pop(),
        _ => Some(Item::List(items)),
    }
}

/// A literal of a type.
pub(crate) fn typed(value: &str, ty: &str) -> Item {
    Object::from([("@type", ty.into()), ("@value", value.into())]).into()
}

/// Puts a value that may be absent.
pub(crate) fn put(node: &mut Object, key: &'static str, value: Option<impl Into<Item>>) {
    if let Some(value) = value {
        node.insert(key, value.into());
    }
}

/// Writes a document: indented, LF at the end. What is not seen, and what HTML would take for markup,
/// is escaped as `\uXXXX`, so the value stays the same and the text is harmless.
pub(crate) fn document(context: Item, graph: Vec<Object>) -> String {
    let graph = Item::List(graph.into_iter().map(Item::Object).collect());
    let document = Object::from([("@context", context), ("@graph", graph)]);
    // no key but texts, no float: it can't fail
    let json = serde_json::to_string_pretty(&document).unwrap_or_default();
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        // of controls only the line ends are left, between values; the others serde_json escapes
        if c != '\n' && (is_hidden(c) || matches!(c, '<' | '>' | '&')) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_escaped_and_stays_the_same() {
        let text = "a\u{1b}\u{202e}\u{e0041}</script>\n\"\\é\u{7f}";
        let json = document("c".into(), vec![Object::from([("b", text.into()), ("@id", "x".into())])]);
        assert_eq!(
            json.lines().nth(5).map(str::trim),
            Some(r#""b": "a\u001b\u202e\udb40\udc41\u003c/script\u003e\n\"\\é\u007f""#)
        );
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["@graph"][0]["b"], text);
    }

    #[test]
    fn one_reference_stands_alone() {
        assert_eq!(references([]), None);
        assert_eq!(references(["a"]), Some(reference("a")));
        assert_eq!(references(["a", "b"]), Some(Item::List(vec![reference("a"), reference("b")])));
    }
}
