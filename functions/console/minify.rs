// Makes scripts small: without comments and spaces, local names as short as they can be. What modules export, and all
// properties, keep their names, so that modules fit each other and what the API answers.

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_minifier::{Minifier, MinifierOptions};
use oxc_parser::{Parser, ParserReturn};
use oxc_span::SourceType;

/// What stands before a declaration that is exported.
const EXPORT: &str = "export ";

/// A module, as it is served; or what is wrong in it.
pub(crate) fn script(text: &str) -> Result<String, String> {
    let allocator = Allocator::default();
    let text = exports_last(&parse(&allocator, text)?, text);
    let mut program = parse(&allocator, &text)?.program;
    let minified = Minifier::new(MinifierOptions::default()).minify(&allocator, &mut program);
    let written = Codegen::new()
        .with_options(CodegenOptions::minify())
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(&program);
    Ok(written.code)
}

fn parse<'a>(allocator: &'a Allocator, text: &'a str) -> Result<ParserReturn<'a>, String> {
    let parsed = Parser::new(allocator, text, SourceType::mjs()).parse();
    match parsed.diagnostics.first() {
        Some(wrong) => Err(wrong.to_string()),
        None => Ok(parsed),
    }
}

/// A module that names its exports once, at its end, so that in itself they may be called otherwise.
fn exports_last(parsed: &ParserReturn<'_>, text: &str) -> String {
    let (mut plain, mut names, mut end) = (String::with_capacity(text.len()), Vec::new(), 0);
    for export in &parsed.module_record.local_export_entries {
        let start = export.statement_span.start as usize;
        // One statement may declare several.
        if start >= end {
            plain.push_str(&text[end..start]);
            end = start + EXPORT.len();
        }
        names.extend(export.local_name.name().map(|name| name.as_str()));
    }
    plain.push_str(&text[end..]);
    if names.is_empty() { plain } else { format!("{plain}export {{ {} }};", names.join(", ")) }
}
