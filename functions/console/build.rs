//! Puts the pages into the binary: minified, compressed once, under a name that is made of their content.

mod minify;
mod style;

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// All of the console, uncompressed, in bytes. It is to be small enough to be read, and to load over a bad line: with people
/// who sign in, and what robots log in with, a third of it goes over the line.
const LARGEST: usize = 140_000;
/// Digits of the hash that names the files' folder: enough that no two releases have the same.
const NAME: usize = 16;
/// What stands for that folder in the page.
const PLACEHOLDER: &str = "/console/assets/";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=static");
    println!("cargo::rerun-if-changed=minify.rs");
    println!("cargo::rerun-if-changed=style.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = read(Path::new("static"))?;
    let index = files.iter().position(|(name, _)| name == "index.html").ok_or("static/index.html is missing")?;
    let (_, page) = files.remove(index);

    let mut hash = Sha256::new();
    for (name, content) in &files {
        hash.update(name);
        hash.update([0]);
        hash.update(content);
    }
    hash.update(&page);
    let mut folder = hex::encode(hash.finalize());
    folder.truncate(NAME);
    files.push(("index.html".to_owned(), page.replace(PLACEHOLDER, &format!("/console/{folder}/"))));

    let size: usize = files.iter().map(|(_, content)| content.len()).sum();
    if size > LARGEST {
        return Err(format!("the console has {size} bytes, which are more than {LARGEST}").into());
    }
    fs::write(out.join("files.rs"), code(&out, &folder, &files)?)?;
    Ok(())
}

/// The files of a folder, as they are served, by name.
fn read(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a name is not UTF-8")?.to_owned();
        let text = fs::read_to_string(&path)?;
        let content = match kind(&name)? {
            "text/javascript" => minify::script(&text).map_err(|error| format!("{name}: {error}"))?,
            "text/css" => style::squeezed(&text),
            _ => text.lines().map(str::trim).collect(),
        };
        files.push((name, content));
    }
    files.sort();
    Ok(files)
}

fn kind(name: &str) -> Result<&'static str, String> {
    match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("js") => Ok("text/javascript"),
        Some("css") => Ok("text/css"),
        Some("svg") => Ok("image/svg+xml"),
        Some("html") => Ok("text/html; charset=utf-8"),
        _ => Err(format!("{name}: no kind of file that is served")),
    }
}

/// Writes the files to the build's folder, and says in Rust what they are.
fn code(out: &Path, folder: &str, files: &[(String, String)]) -> Result<String, Box<dyn Error>> {
    let mut code = format!("const FOLDER: &str = {folder:?};\nconst FILES: [File; {}] = [\n", files.len());
    for (name, content) in files {
        fs::write(out.join(name), content)?;
        let mut encoder = GzEncoder::new(fs::File::create(out.join(format!("{name}.gz")))?, Compression::best());
        encoder.write_all(content.as_bytes())?;
        encoder.finish()?;
        let kind = kind(name)?;
        // Where the folder is, is known when this is compiled: it may have been moved since.
        let held = |end: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}{end}\"))");
        let (plain, gzip) = (held(""), held(".gz"));
        writeln!(code, "File {{ name: {name:?}, kind: {kind:?}, plain: {plain}, gzip: {gzip} }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}
