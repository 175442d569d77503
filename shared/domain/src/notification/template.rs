//! Templates of webhooks' bodies, as Quay has them: JSON in whose strings and keys `${path}` stands for a value.
//!
//! A string that is only one expression becomes the value, whatever its type; null if there is none. Within other text a
//! value that is missing is `(none)`, and several are joined by commas.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::path::{Path, PathError};

/// The largest template, in bytes.
const MAX_TEMPLATE: usize = 16 * 1024;
/// The most expressions of one: each may bring in the whole body.
const MAX_EXPRESSIONS: usize = 100;
/// The largest result, in bytes, texts as they are without escapes: more than a body has.
const MAX_RESULT: usize = 192 * 1024;
/// What stands within text for a value that is missing.
const MISSING: &str = "(none)";

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Node);

/// A value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Without expressions.
    Plain(Value),
    Text(Text),
    List(Vec<Node>),
    Object(Vec<(Text, Node)>),
}

/// A string of it.
type Text = Vec<Piece>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Path(Path),
}

/// Why a text is no template, or cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is larger than is taken.
    #[error("Could not parse template: it is larger than {MAX_TEMPLATE} bytes")]
    Long,
    /// It is no JSON.
    #[error("Could not parse template: it is no JSON, line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It has more expressions than are taken.
    #[error("Could not parse template: it has more than {MAX_EXPRESSIONS} expressions")]
    TooMany,
    /// An expression is none.
    #[error("For expression `{expression}`: {error}")]
    Path {
        /// As it stands there, as much of it as is shown.
        expression: String,
        /// What is wrong with it.
        error: PathError,
    },
    /// It makes too much of a body.
    #[error("the template makes more than {MAX_RESULT} bytes of the event")]
    TooLarge,
}

/// How many characters of an expression an error repeats.
const SHOWN: usize = 80;

impl Template {
    /// Parses one.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::Long);
        }
        let json = |error: serde_json::Error| TemplateError::Json { line: error.line(), column: error.column() };
        let mut expressions = 0;
        node(serde_json::from_str(text).map_err(json)?, &mut expressions).map(Self)
    }

    /// Fills a body in.
    pub fn fill(&self, body: &Value) -> Result<Value, TemplateError> {
        filled(&self.0, body, &mut Budget(MAX_RESULT))
    }
}

fn node(value: Value, expressions: &mut usize) -> Result<Node, TemplateError> {
    Ok(match value {
        Value::String(string) => Node::Text(text(&string, expressions)?),
        Value::Array(list) => {
            Node::List(list.into_iter().map(|value| node(value, expressions)).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let mut field = |(key, value): (String, Value)| Ok((text(&key, expressions)?, node(value, expressions)?));
            Node::Object(object.into_iter().map(&mut field).collect::<Result<_, _>>()?)
        }
        plain => Node::Plain(plain),
    })
}

fn text(string: &str, expressions: &mut usize) -> Result<Text, TemplateError> {
    let (mut pieces, mut rest) = (Text::new(), string);
    // What is not closed is plain text.
    while let Some((before, expression, after)) = next(rest) {
        *expressions += 1;
        if *expressions > MAX_EXPRESSIONS {
            return Err(TemplateError::TooMany);
        }
        let path = Path::parse(expression)
            .map_err(|error| TemplateError::Path { expression: expression.chars().take(SHOWN).collect(), error })?;
        if !before.is_empty() {
            pieces.push(Piece::Plain(before.to_owned()));
        }
        pieces.push(Piece::Path(path));
        rest = after;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    Ok(pieces)
}

/// What is before the next expression, the expression, and what is after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (expression, after) = rest.split_once('}')?;
    Some((before, expression, after))
}

/// How much more the result may have.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.0 = self.0.checked_sub(bytes).ok_or(TemplateError::TooLarge)?;
        Ok(())
    }

    fn keep(&mut self, value: Value) -> Result<Value, TemplateError> {
        self.spend(value.to_string().len())?;
        Ok(value)
    }
}

fn filled(node: &Node, body: &Value, budget: &mut Budget) -> Result<Value, TemplateError> {
    Ok(match node {
        Node::Plain(value) => budget.keep(value.clone())?,
        Node::Text(text) => match text.as_slice() {
            [Piece::Path(path)] => {
                let found = path.find(body);
                let one = if let [one] = found[..] { one.clone() } else { Value::Null };
                budget.keep(if found.len() > 1 { found.into_iter().cloned().collect() } else { one })?
            }
            pieces => Value::String(joined(pieces, body, budget)?),
        },
        Node::List(list) => Value::Array(list.iter().map(|node| filled(node, body, budget)).collect::<Result<_, _>>()?),
        Node::Object(fields) => {
            let mut object = Map::new();
            for (key, value) in fields {
                object.insert(joined(key, body, budget)?, filled(value, body, budget)?);
            }
            Value::Object(object)
        }
    })
}

fn joined(pieces: &[Piece], body: &Value, budget: &mut Budget) -> Result<String, TemplateError> {
    let mut text = String::new();
    for piece in pieces {
        let before = text.len();
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Path(path) => {
                let found = path.find(body);
                let values = match found[..] {
                    [Value::Array(list)] => list.iter().collect(),
                    _ => found,
                };
                let values: Vec<_> = values.into_iter().filter(|value| !value.is_null()).map(plain).collect();
                text.push_str(if values.is_empty() { MISSING.to_owned() } else { values.join(",") }.as_str());
            }
        }
        budget.spend(text.len() - before)?;
    }
    Ok(text)
}

/// A value within text.
fn plain(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::String(string) => text.push_str(string),
        // It is JSON, which can always be written.
        other => drop(write!(text, "{other}")),
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str, body: &Value) -> Value {
        Template::parse(template).unwrap().fill(body).unwrap()
    }

    #[test]
    fn expressions_stand_for_values() {
        let body = json!({
            "thing": 1234, "word": "beans", "first": {"second": {"third": 42}}, "list": [1, 2, 42], "flag": true,
            "none": null, "tags": [{"tag": "a"}, {"tag": "b"}], "empty": [],
        });
        for (template, result) in [
            (json!({}), json!({})),
            (
                json!({"hello": "world", "n": 1.5, "o": null, "b": [true, ""]}),
                json!({"hello": "world", "n": 1.5, "o": null, "b": [true, ""]}),
            ),
            (json!("${thing}"), json!(1234)),
            (json!("${first}"), json!({"second": {"third": 42}})),
            (json!("cool-${word}"), json!("cool-beans")),
            (json!("${word}${word}"), json!("beansbeans")),
            (json!("${first.second.third} is the answer"), json!("42 is the answer")),
            (json!("${first.missing.third}"), json!(null)),
            (json!("${list[2]}"), json!(42)),
            (json!("${list[3]}"), json!(null)),
            (json!(["${list[1]}", "${list[0]}"]), json!([2, 1])),
            (json!("hey-${list[3]}"), json!("hey-(none)")),
            (json!("hey-${none}"), json!("hey-(none)")),
            (json!("hey-${empty}"), json!("hey-(none)")),
            (json!("${tags[*].tag}"), json!(["a", "b"])),
            (json!("tags: ${tags[*].tag}"), json!("tags: a,b")),
            (json!("list: ${list}"), json!("list: 1,2,42")),
            (json!("is ${flag}"), json!("is true")),
            (json!({"${word}": 1, "x-${missing}": 2}), json!({"beans": 1, "x-(none)": 2})),
            (json!("open ${word"), json!("open ${word")),
            (json!("$ {word} }"), json!("$ {word} }")),
        ] {
            assert_eq!(filled(&template.to_string(), &body), result, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_reason() {
        let refused = |template: &str| Template::parse(template).unwrap_err().to_string();
        assert_eq!(refused("{\"hello\": \"}"), "Could not parse template: it is no JSON, line 1, column 12");
        assert_eq!(refused("\"${}\""), "For expression ``: Empty expression found");
        assert_eq!(refused("{\"${;;}\": 1}"), "For expression `;;`: it is no path from byte 0 on");
        assert!(refused("[[\"${a[?(@.b)]}\"]]").starts_with("For expression `a[?(@.b)]`: filters"));
        assert!(refused(&format!("\"{}\"", "a".repeat(MAX_TEMPLATE))).contains("larger"));
        assert!(refused(&"[".repeat(1_000)).contains("no JSON"), "it may nest as deep as the reader goes");
        let many = format!("\"{}\"", "${a}".repeat(MAX_EXPRESSIONS + 1));
        assert!(refused(&many).contains("more than 100 expressions"));
    }

    #[test]
    fn results_are_bounded() {
        let body = json!({"a": vec!["x".repeat(1_000); 100]});
        for expression in ["${a}", "text ${a}", "${a[*]}"] {
            let many = |count: usize| Template::parse(&json!(vec![expression; count]).to_string()).unwrap();
            assert!(many(1).fill(&body).is_ok());
            assert_eq!(many(2).fill(&body), Err(TemplateError::TooLarge), "{expression}");
        }
    }
}
