//! What is there and not declared.
//!
//! It is looked for in the organizations that are declared, and nowhere else: their robots, teams and mirrors, the mirrors of
//! their repositories, and, of the repositories that are declared, roles and notifications. Images are never removed so:
//! organizations and repositories stay, and a mirror's end keeps what it has mirrored.

use std::collections::BTreeSet;

use moorage_domain::{Namespace, RepositoryName, RobotName, notification::Owner};
use serde_json::{Map, Value};

use crate::{
    compare::{removal, remove_notification},
    declaration::Declaration,
    key::{Grantee, Key},
    present::{Present, PresentError},
    reading,
    step::{Action, Step},
    team::Member,
};

/// The team that each organization has.
const OWNERS: &str = "owners";
/// What the API calls a repository that is a mirror of its own.
const MIRROR: &str = "MIRROR";

/// The steps that remove it. What was read has to be [`reading::of_declared`] and [`reading::of_undeclared`].
pub fn removals(declaration: &Declaration, present: &Present) -> Result<Vec<Step>, PresentError> {
    let mut steps = Vec::new();
    for key in declaration.keys() {
        match key {
            Key::Organization(name) => of_organization(name, declaration, present, &mut steps)?,
            Key::Repository(name) => of_repository(name, declaration, present, &mut steps)?,
            _ => {}
        }
    }
    // A robot cannot go before the mirrors whose robot it is have gone, or have got another one.
    let mirrors: Vec<_> = steps.iter().map(|step| step.key.clone()).filter(is_mirror).collect();
    let declared: Vec<_> = declaration.keys().filter(|key| is_mirror(key)).cloned().collect();
    for step in steps.iter_mut().filter(|step| matches!(step.key, Key::Robot(_))) {
        step.needs.extend(mirrors.iter().chain(&declared).filter(|mirror| is_of(mirror, &step.key)).cloned());
    }
    Ok(steps)
}

fn is_mirror(key: &Key) -> bool {
    matches!(key, Key::Mirror(_) | Key::OrganizationMirror(_))
}

/// Whether a mirror is of a robot's namespace.
fn is_of(mirror: &Key, robot: &Key) -> bool {
    let Key::Robot(robot) = robot else { return false };
    match mirror {
        Key::Mirror(repository) => repository.namespace() == robot.namespace(),
        Key::OrganizationMirror(organization) => *organization == robot.namespace(),
        _ => false,
    }
}

fn of_organization(
    name: &Namespace,
    declaration: &Declaration,
    present: &Present,
    steps: &mut Vec<Step>,
) -> Result<(), PresentError> {
    let removed = |key: Key| {
        let call = crate::call::Call::new(crate::call::Verb::Delete, key.path());
        Step::new(key, Action::Remove, vec![call])
    };
    let undeclared = |key: &Key| !declaration.has(key);
    let robots = present.list(&reading::robots(name), None, "robots")?;
    let robots = robots.iter().filter_map(named::<RobotName>).map(Key::Robot);
    let teams = present.entries(&format!("organization/{name}"), "teams")?;
    let teams = teams.keys().filter(|team| *team != OWNERS).filter_map(|team| team.parse().ok());
    let teams = teams.map(|team| Key::Team(name.clone(), team));
    let repositories = present.list(&reading::repositories(name), Some("repositories"), "repositories")?;
    let repositories = repositories.iter().filter(|it| it.get("state").and_then(Value::as_str) == Some(MIRROR));
    let mirrors = repositories.filter_map(|it| it.get("name")?.as_str());
    let mirrors = mirrors.filter_map(|it| RepositoryName::new(name.as_str(), it).ok()).map(Key::Mirror);
    // Those of repositories that are declared were read by themselves.
    let mirrors =
        mirrors.filter(|key| !matches!(key, Key::Mirror(it) if declaration.has(&Key::Repository(it.clone()))));
    steps.extend(robots.chain(teams).chain(mirrors).filter(undeclared).map(removed));
    let mirror = Key::OrganizationMirror(name.clone());
    if !declaration.has(&mirror) {
        steps.extend(removal(&mirror, present)?);
    }
    notifications(&Owner::Organization(name.clone()), declaration, present, steps)
}

fn of_repository(
    name: &RepositoryName,
    declaration: &Declaration,
    present: &Present,
    steps: &mut Vec<Step>,
) -> Result<(), PresentError> {
    let mirror = Key::Mirror(name.clone());
    let there = present.find(&mirror)?;
    let robot = there.as_ref().and_then(|found| found.view.get("robot_username")).and_then(Value::as_str);
    // A repository of an organization's mirror has that one's configuration.
    let repository = present.find(&Key::Repository(name.clone()))?;
    let is_own = repository.and_then(|found| found.view.get("state").cloned()) != Some("ORG_MIRROR".into());
    if there.is_some() && is_own && !declaration.has(&mirror) {
        steps.extend(removal(&mirror, present)?);
    }
    let users = present.entries(&format!("repository/{name}/permissions/user/"), "permissions")?;
    let teams = present.entries(&format!("repository/{name}/permissions/team/"), "permissions")?;
    // The mirror's robot has its role by the mirror.
    let users = users.keys().filter(|it| Some(it.as_str()) != robot);
    let users = users.filter_map(|it| it.parse().ok()).map(|member| match member {
        Member::Robot(robot) => Grantee::Robot(robot),
        Member::User(user) => Grantee::User(user),
    });
    let teams = teams.keys().filter_map(|it| it.parse().ok()).map(Grantee::Team);
    for grantee in users.chain(teams) {
        let key = Key::Permission(name.clone(), grantee);
        if !declaration.has(&key) {
            steps.extend(removal(&key, present)?);
        }
    }
    notifications(&Owner::Repository(name.clone()), declaration, present, steps)
}

fn notifications(
    owner: &Owner,
    declaration: &Declaration,
    present: &Present,
    steps: &mut Vec<Step>,
) -> Result<(), PresentError> {
    let all = present.list(&reading::notifications(owner), None, "notifications")?;
    let mut seen = BTreeSet::new();
    for view in &all {
        let title = view.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = Key::Notification(owner.clone(), title);
        if !declaration.has(&key) && seen.insert(view.get("uuid").map(ToString::to_string)) {
            steps.extend(remove_notification(key, view));
        }
    }
    Ok(())
}

fn named<T: std::str::FromStr>(view: &Map<String, Value>) -> Option<T> {
    view.get("name")?.as_str()?.parse().ok()
}
