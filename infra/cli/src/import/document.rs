//! What is declared, as a document that `moorage apply` takes.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use moorage_declaration::{Declaration, Document, Element, Grantee, PermissionsDocument, SecretSource};
use moorage_domain::{ExposeSecret as _, notification::Owner};

use crate::{error::CliError, import::draft::Import};

/// What the file begins with.
const HEAD: &str = "# yaml-language-server: $schema=mirrors.schema.json\n";

/// The document that declares it.
pub(crate) fn of(declaration: &Declaration) -> Document {
    let mut document = Document::default();
    for element in declaration.elements().cloned() {
        add(&mut document, element);
    }
    document
}

fn add(document: &mut Document, element: Element) {
    let Document { organizations, repositories } = document;
    match element {
        Element::Organization(name, it) => {
            organizations.entry(name).or_default().get_or_insert_default().email = it.email;
        }
        Element::Robot(name, it) => {
            let organization = organizations.entry(name.namespace()).or_default().get_or_insert_default();
            organization.robots.insert(name.short().to_owned(), Some(it));
        }
        Element::Team(organization, name, it) => {
            organizations.entry(organization).or_default().get_or_insert_default().teams.insert(name, Some(it));
        }
        Element::OrganizationMirror(name, it) => {
            organizations.entry(name).or_default().get_or_insert_default().mirror = Some(it);
        }
        Element::Notification(Owner::Organization(name), it) => {
            organizations.entry(name).or_default().get_or_insert_default().notifications.push(it);
        }
        Element::Notification(Owner::Repository(name), it) => {
            repositories.entry(name).or_default().get_or_insert_default().notifications.push(it);
        }
        Element::Repository(name, it) => {
            let repository = repositories.entry(name).or_default().get_or_insert_default();
            (repository.description, repository.visibility) = (it.description, it.visibility);
        }
        Element::Mirror(name, it) => repositories.entry(name).or_default().get_or_insert_default().mirror = Some(it),
        Element::Permission(name, who, role) => {
            let repository = repositories.entry(name).or_default().get_or_insert_default();
            let PermissionsDocument { robots, teams, users } = repository.permissions.get_or_insert_default();
            match who {
                Grantee::Robot(robot) => drop(robots.insert(robot, role)),
                Grantee::Team(team) => drop(teams.insert(team, role)),
                Grantee::User(user) => drop(users.insert(user, role)),
            }
        }
    }
}

/// Its text: YAML, and that it is read back as it was is looked at.
pub(crate) fn text(declaration: &Declaration) -> Result<String, CliError> {
    let document = of(declaration);
    let text = serde_saphyr::to_string(&document).map_err(|error| CliError::Document(error.to_string()))?;
    let read = serde_saphyr::from_str::<Document>(&text).ok();
    if read.as_ref() != Some(&document) {
        return Err(CliError::Document("what was written would not be read back as it is".to_owned()));
    }
    Ok(format!("{HEAD}{text}"))
}

/// Writes the document, and over no other one: somebody may have changed it since.
pub(crate) fn write(path: &Path, import: &Import) -> Result<(), CliError> {
    let text = text(&import.declaration)?;
    if fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() > 0)
        && fs::read_to_string(path).ok() != Some(text.clone())
    {
        let why = "has something else already: name another file, or remove it";
        return Err(CliError::Refused(format!("{} {why}", path.display())));
    }
    fs::write(path, text).map_err(|error| wrong(path, &error))
}

/// Writes the secrets that the source has into the files that the document names, which only their owner can read.
pub(crate) fn write_secrets(import: &Import) -> Result<Vec<PathBuf>, CliError> {
    let mut written = Vec::new();
    for question in &import.report.questions {
        let (SecretSource::File(path), Some(secret)) = (&question.reference, import.known.get(&question.reference))
        else {
            continue;
        };
        let path = PathBuf::from(path);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| wrong(&path, &error))?;
        file.write_all(secret.expose_secret().as_bytes()).map_err(|error| wrong(&path, &error))?;
        written.push(path);
    }
    Ok(written)
}

fn wrong(path: &Path, error: &std::io::Error) -> CliError {
    CliError::File { path: path.display().to_string(), why: error.to_string() }
}
