//! What is left out, and what has to stay.

use super::*;

#[test]
fn what_separates_stays() {
    for (text, squeezed) in [
        ("a = 1; // one\nb = a + +a - -b;\n", "a=1;b=a+ +a- -b;"),
        ("a()\nb()", "a()\nb()"),
        ("call(\n  one,\n  two\n)\n", "call(one,two)"),
        ("/* a */ return /* b */ it", "return it"),
        ("f('//', \"/*\", 'c  \\' d')", "f('//',\"/*\",'c  \\' d')"),
        ("if (a) {\n  b();\n}\nelse return a in b;\n", "if(a){b()}\nelse return a in b;"),
        ("class A { #at = 1; static #b; get at() { return 1; } }", "class A{#at=1;static #b;get at(){return 1}}"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn a_slash_divides_or_begins_an_expression() {
    for (text, squeezed) in [
        ("return / a/.test(b)", "return/ a/.test(b)"),
        ("typeof / '/", "typeof/ '/"),
        ("if (a) / '/.test(b)", "if(a)/ '/.test(b)"),
        ("x = [/[/']/g, 1 / 2]", "x=[/[/']/g,1/2]"),
        ("text.replace(/[/ \"]  x/g, a / b)", "text.replace(/[/ \"]  x/g,a/b)"),
        ("(a) => /x  y/.test(a)", "a=>/x  y/.test(a)"),
        ("a++ / b / it.of / c", "a++/b/it.of/c"),
        ("(a + b) / c / d", "(a+b)/c/d"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn a_semicolon_that_is_a_statement_stays() {
    for (text, squeezed) in [
        ("{ a(); }", "{a()}"),
        ("{ for (;;) ; }", "{for(;;);}"),
        ("{ if (a) b(); else ; }", "{if(a)b();else;}"),
        ("{ while (f()) ; }", "{while(f());}"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn declarations_that_follow_one_another_are_one() {
    for (text, squeezed) in [
        (
            "export const a = 1;\nexport const b = 2;\nexport function c() {}",
            "export let a=1,b=2;export function c(){}",
        ),
        ("const a = 1;\nconst b = { c: 2 };\nconst d = 3;", "let a=1,b={c:2},d=3;"),
        ("let a;\nlet b;\nconst c = 1;", "let a,b,c=1;"),
        (
            "const a = () => {\n  const b = 1;\n  b();\n  const c = 2;\n};\nconst d = 3;",
            "let a=()=>{let b=1;b();let c=2},d=3;",
        ),
        ("export const a = 1;\nconst b = 2;\nconst c = 3;", "export let a=1;let b=2,c=3;"),
        ("const a = f\ng();\nconst b = 1;", "let a=f\ng();let b=1;"),
        ("for (const a of b) c();\nconst d = 1;", "for(let a of b)c();let d=1;"),
        ("for (let a = 0; ; ) b();\nlet c;", "for(let a=0;;)b();let c;"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn words_are_said_in_fewer_letters_unless_they_are_names() {
    for (text, squeezed) in [
        ("return a === undefined ? true : false;", "return a===void 0?!0:!1;"),
        ("return undefined", "return void 0"),
        ("f({ on: true, const: 1 }, it.true, \"true\")", "f({on:!0,const:1},it.true,\"true\")"),
        ("`${a ? true : \"false\"} true`", "`${a?!0:\"false\"} true`"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn arrow_functions_lose_their_brackets() {
    for (text, squeezed) in [
        ("map((it) => it.name)", "map(it=>it.name)"),
        ("async (it) => 1", "async it=>1"),
        ("return (it) => (other) => 1", "return it=>other=>1"),
        ("(a, b) => 1", "(a,b)=>1"),
        ("() => (a)", "()=>(a)"),
        ("({ a }) => 1", "({a})=>1"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn templates_keep_their_text() {
    for (text, squeezed) in [
        ("`a  b ${ c ? `  ${ d }` : '}' } // no`", "`a  b ${c?`  ${d}`:'}'} // no`"),
        ("`a  ${ f(`b  ${ {c: \"}\"} }`) }  // d`", "`a  ${f(`b  ${{c:\"}\"}}`)}  // d`"),
        ("`\\${ a }  ${ b }`", "`\\${ a }  ${b}`"),
    ] {
        assert_eq!(script(text).unwrap(), squeezed, "{text}");
    }
}

#[test]
fn what_has_no_end_is_refused() {
    for text in ["'a", "`a ${b`", "/* a", "x = /a"] {
        assert_eq!(script(text), None, "{text}");
    }
}

#[test]
fn styles_lose_their_spaces() {
    for (text, squeezed) in [
        ("a, b:hover { color: red; margin: 0 1px; }\n", "a,b:hover{color:red;margin:0 1px}"),
        ("a {\n  width: calc(1px - 2px);\n}\n", "a{width:calc(1px - 2px)}"),
        ("a { content: \"x; {  y > z\"; }", "a{content:\"x; {  y > z\"}"),
        ("@media (max-width: 9px) { a > b { c: d; } }", "@media (max-width:9px){a>b{c:d}}"),
    ] {
        assert_eq!(style(text), squeezed, "{text}");
    }
}
