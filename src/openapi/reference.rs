//! The document as people read it: from JSON to what the page shows. Pure, and made once.

use serde_json::Value;

/// Everything on the page.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) sections: Vec<Section>,
    pub(super) shapes: Vec<Shape>,
}

/// The addresses of one subject.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) description: String,
    pub(super) operations: Vec<Operation>,
}

/// One method of one address.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    /// Paragraphs, of words and code.
    pub(super) description: Vec<Vec<Piece>>,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
}

/// What a request brings.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) media_type: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) examples: Vec<Example>,
}

/// A body to copy.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) text: String,
}

/// One status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) description: Vec<Piece>,
    pub(super) kind: Option<Kind>,
}

/// A parameter, or a member of a shape.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// `query`, `path` or `header`; empty for a member.
    pub(super) place: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) description: Vec<Piece>,
    pub(super) example: String,
}

/// An object that several places name.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) description: Vec<Piece>,
    pub(super) fields: Vec<Field>,
    /// The words that it can be, if it is one of several words.
    pub(super) words: Vec<String>,
    /// Shapes whose members it has as well, or one of which it is.
    pub(super) parts: Vec<Kind>,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// In words.
    Plain(String),
    /// A shape, by its name.
    Shape(String),
    /// Several of a shape.
    Shapes(String),
}

/// A part of a sentence.
#[derive(Debug)]
pub(super) enum Piece {
    Words(String),
    Code(String),
}

impl Reference {
    pub(super) fn of(document: &Value) -> Self {
        let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sections = tags.iter().map(|tag| Section {
            description: text(&tag["description"]),
            operations: operations(document, &text(&tag["name"])),
        });
        let schemas = document["components"]["schemas"].as_object();
        let shapes = schemas.into_iter().flatten().map(|(name, schema)| shape(name, schema));
        Self { sections: sections.collect(), shapes: shapes.collect() }
    }
}

fn operations(document: &Value, tag: &str) -> Vec<Operation> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    });
    all.filter(|(_, _, operation)| operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag)))
        .map(|(path, method, operation)| Operation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.clone(),
            summary: text(&operation["summary"]),
            description: text(&operation["description"]).split("\n\n").map(pieces).collect(),
            parameters: operation["parameters"].as_array().into_iter().flatten().map(parameter).collect(),
            body: operation.get("requestBody").and_then(body),
            answers: operation["responses"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(s, a)| answer(document, s, a))
                .collect(),
        })
        .collect()
}

fn parameter(parameter: &Value) -> Field {
    let schema = &parameter["schema"];
    let example = if schema["example"].is_null() { &parameter["example"] } else { &schema["example"] };
    Field {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        kind: kind(schema),
        is_required: parameter["required"] == true,
        description: pieces(&text(&parameter["description"])),
        example: example_text(example),
    }
}

fn body(body: &Value) -> Option<Body> {
    let (media_type, content) = body["content"].as_object()?.iter().next()?;
    let named = content["examples"].as_object().into_iter().flatten();
    let named = named.map(|(name, example)| Example { name: name.clone(), text: pretty(&example["value"]) });
    let only = content.get("example").map(|example| Example { name: "Example".to_owned(), text: pretty(example) });
    Some(Body {
        media_type: media_type.clone(),
        kind: kind(&content["schema"]),
        is_required: body["required"] == true,
        examples: named.chain(only).collect(),
    })
}

fn answer(document: &Value, status: &str, answer: &Value) -> Answer {
    let shared = answer["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
    let answer = shared.unwrap_or(answer);
    let content = answer["content"].as_object().and_then(|content| content.values().next());
    Answer {
        status: status.to_owned(),
        description: pieces(&text(&answer["description"])),
        kind: content.map(|content| kind(&content["schema"])),
    }
}

fn shape(name: &str, schema: &Value) -> Shape {
    let mut shape = Shape {
        name: name.to_owned(),
        description: pieces(&text(&schema["description"])),
        fields: Vec::new(),
        words: schema["enum"].as_array().into_iter().flatten().map(text).collect(),
        parts: Vec::new(),
    };
    collect(schema, &mut shape);
    shape
}

/// Members of the schema itself and of what it is made of.
fn collect(schema: &Value, shape: &mut Shape) {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        shape.fields.push(Field {
            name: name.clone(),
            place: String::new(),
            kind: kind(member),
            is_required: required.iter().any(|one| one == name),
            description: pieces(&text(&member["description"])),
            example: example_text(&member["example"]),
        });
    }
    for part in ["allOf", "oneOf", "anyOf"].iter().filter_map(|part| schema[part].as_array()).flatten() {
        if part["$ref"].is_string() {
            shape.parts.push(kind(part));
        } else {
            collect(part, shape);
        }
    }
}

fn kind(schema: &Value) -> Kind {
    if let Some(name) = shape_name(schema) {
        return Kind::Shape(name);
    }
    if let Some(name) = shape_name(&schema["items"]) {
        return Kind::Shapes(name);
    }
    // A shape that may be null.
    let mut either = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()).into_iter().flatten();
    if let Some(name) = either.find_map(shape_name) {
        return Kind::Shape(name);
    }
    let words = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    let format = schema["format"].as_str().filter(|format| format.contains("date") || *format == "uuid");
    Kind::Plain(format.map_or(words.clone(), |format| format!("{words}, {format}")))
}

fn shape_name(schema: &Value) -> Option<String> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/").map(str::to_owned)
}

fn example_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Between backquotes stands code.
fn pieces(text: &str) -> Vec<Piece> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(index, part)| if index % 2 == 1 { Piece::Code(part.to_owned()) } else { Piece::Words(part.to_owned()) })
        .collect()
}

impl Operation {
    /// Where it stands on the page.
    pub(super) fn anchor(&self) -> String {
        format!("op-{}", self.id)
    }
}
