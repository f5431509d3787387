//! The JSON Schema of the job file, generated from the types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Job;

/// The schema, draft 2020-12; `schemas/job.schema.json` is its pretty-printed text.
///
/// TOML has no null, so a key that may be absent is not nullable here.
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Job>().to_value();
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "comity job file".into());
    }
    schema
}

/// Takes null out of every type, and joins the lines of descriptions.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(map) => {
            if let Some(only) = map.get("anyOf").and_then(not_null) {
                map.remove("anyOf");
                map.extend(only);
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            map.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// The one alternative that is not null, where there are two and the other is.
fn not_null(any_of: &Value) -> Option<serde_json::Map<String, Value>> {
    match any_of.as_array()?.as_slice() {
        [Value::Object(only), null] if null.get("type")? == "null" => Some(only.clone()),
        _ => None,
    }
}

/// What a key is for, in a sentence or two: `describe("evidence[1].tlp")`; places in lists may be left out.
pub fn describe(key: &str) -> Option<String> {
    let root = json_schema();
    let mut at = &root;
    for step in key.split('.') {
        let name = step.split('[').next().unwrap_or(step);
        at = resolve(&root, at).get("properties")?.get(name)?;
    }
    let text = at.get("description").or_else(|| resolve(&root, at).get("description"))?.as_str()?;
    text.split("\n\n").next().map(|paragraph| paragraph.trim_end_matches('.').to_owned())
}

/// Follows references and looks into lists and alternatives, to the schema that has properties.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    let next = match target {
        Some(pointer) => root.pointer(pointer),
        None => schema.get("items").or_else(|| schema.get("anyOf").and_then(|all| all.get(0))),
    };
    next.map_or(schema, |next| resolve(root, next))
}
