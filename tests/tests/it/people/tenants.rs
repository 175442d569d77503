//! What a tenant has is nobody else's to see: all that can be read is read, by people of another one.

use futures_util::{StreamExt as _, stream};
use moorage_tests::{organization_mirror, people::People, seed, world::World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Visitor, admin, grant, join, team};

/// Calls at once.
const CALLS: usize = 4;

/// What the parameters of paths are filled with: names of somebody's, or of nobody's that are as long.
struct Names {
    namespace: String,
    mirrored: String,
    repository: String,
    user: String,
    run: String,
    notification: String,
    app_token: String,
}

impl Names {
    /// Those of an organization that there is not.
    fn of_nobody(like: &Self) -> Self {
        let random = format!("{:08x}", rand::random::<u32>());
        let other = |name: &str| format!("{}{random}", &name[..name.len() - 8]);
        let (namespace, mirrored, user) = (other(&like.namespace), other(&like.mirrored), other(&like.user));
        let repository = like.repository.replace(&like.namespace, &namespace);
        let id = || uuid::Uuid::new_v4().to_string();
        let (notification, app_token) = (id(), id());
        Self { namespace, mirrored, repository, user, run: like.run.clone(), notification, app_token }
    }

    fn fill(&self, template: &str, uuid: &str) -> String {
        let path = template.trim_start_matches('/');
        let is_mirror = path.starts_with("organization/{orgname}/mirror");
        let organization = if is_mirror { &self.mirrored } else { &self.namespace };
        let mut path = path.to_owned();
        for (parameter, value) in [
            ("{repository}", self.repository.as_str()),
            ("{orgname}", organization),
            ("{robot_shortname}", "bot"),
            ("{teamname}", "hidden-team"),
            ("{username}", &self.user),
            ("{prefix}", &self.user),
            ("{run_id}", &self.run),
            ("{uuid}", uuid),
            ("{token_uuid}", &self.app_token),
            ("{error_type}", "not_found"),
            ("{tag}", "v1"),
            ("{digest}", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("{membername}", &self.user),
        ] {
            path = path.replace(parameter, value);
        }
        assert!(!path.contains('{'), "which value has the parameter? {path}");
        path
    }

    /// The answer without what it repeats of the question, and without digits of its texts, which are times.
    fn told(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let [notification, token] = [&self.notification, &self.app_token];
                let names = [&self.repository, &self.namespace, &self.mirrored, &self.user, notification, token];
                let text = names.iter().fold(text.clone(), |text, name| text.replace(name.as_str(), "NAME"));
                text.replace(|it: char| it.is_ascii_digit(), "").into()
            }
            Value::Array(all) => all.iter().map(|it| self.told(it)).collect(),
            Value::Object(all) => all.iter().map(|(name, it)| (name.clone(), self.told(it))).collect(),
            other => other.clone(),
        }
    }
}

/// Something of every kind in a world, with a word in it that is in no path.
async fn fill(world: &World, hidden: &str) -> Names {
    let admin = admin(world);
    let ok = |(status, answer): (u16, Value)| {
        assert!((200..300).contains(&status), "{status} {answer}");
        answer
    };
    let organization = format!("organization/{}", world.namespace);
    ok(admin.put(&organization, json!({"email": format!("{hidden}@example.com")})).await);
    // An organization that is mirrored as a whole has no other repositories.
    let mirrored = World::empty("tenant-mirrored").await;
    organization_mirror::create(&mirrored, "distribution", "127.0.0.1:1", json!({"external_namespace": hidden})).await;
    ok(admin.put(&format!("repository/{}", world.repository), json!({"description": hidden})).await);
    world.create_mirror("127.0.0.1:1", json!({"external_reference": format!("127.0.0.1:1/{hidden}/app")})).await;
    world.sync_now().await;
    world.wait_for(&["FAIL"]).await;
    ok(admin.post(&world.mirror_path("/webhook"), json!({})).await);
    ok(admin.put(&format!("{organization}/team/hidden-team"), json!({"role": "member", "description": hidden})).await);
    ok(admin.put(&format!("{organization}/robots/{}", hidden.replace('-', "_")), json!({"description": hidden})).await);
    let event = json!({
        "event": "repo_mirror_sync_failed", "method": "webhook", "config": {"url": format!("http://127.0.0.1:1/{hidden}")},
        "eventConfig": {}, "title": hidden,
    });
    let notification = ok(admin.post(&format!("repository/{}/notification/", world.repository), event).await);
    ok(admin.post("tokens", json!({"description": hidden, "namespace": world.namespace, "role": "read"})).await);

    let person = People::of_stack().person("insider", &[]).await;
    let insider = Visitor::of(world, &person).await;
    join(world, &format!("{organization}/team/hidden-team"), &person).await;
    grant(world, &person, "admin").await;
    let token = ok(insider.post("user/apptoken", json!({"title": hidden})).await);
    Names {
        namespace: world.namespace.clone(),
        mirrored: mirrored.namespace,
        repository: world.repository.to_string(),
        user: person.name.clone(),
        run: world.runs().await[0]["run_id"].as_str().unwrap().to_owned(),
        notification: notification["uuid"].as_str().unwrap().to_owned(),
        app_token: token["token"]["uuid"].as_str().unwrap().to_owned(),
    }
}

/// All that can be read, in every way that is known to be different, by these names.
async fn paths(world: &World, names: &Names) -> Vec<String> {
    let (_, description) = world.send(Method::GET, "openapi.json", None, None).await;
    let with_get = |(path, methods): (&String, &Value)| methods.get("get").is_some().then(|| path.clone());
    let templates: Vec<_> = description["paths"].as_object().unwrap().iter().filter_map(with_get).collect();
    assert!(templates.len() > 50, "{templates:?}");
    let namespace = &names.namespace;
    let mut paths = Vec::new();
    for template in templates.iter().filter(|template| !matches!(template.as_str(), "/openapi.json" | "/discovery")) {
        let path = names.fill(template, &names.notification);
        if !["{repository}", "{orgname}"].iter().any(|parameter| template.contains(parameter)) {
            for query in [
                "public=true&limit=100".to_owned(),
                "starred=true".to_owned(),
                format!("namespace={namespace}&detailed=true&includeTeams=true&includeOrgs=true&limit=100"),
            ] {
                paths.push(format!("{path}?{query}"));
            }
        }
        paths.push(path);
    }
    for prefix in ["b", "hidden", &namespace[..4], namespace] {
        paths.push(format!("entities/{prefix}?namespace={namespace}&includeTeams=true&includeOrgs=true"));
    }
    paths.push(format!("organization/{namespace}/robots?permissions=true&token=true"));
    paths
}

/// What somebody gets for all of them.
async fn answers(visitor: &Visitor<'_>, paths: &[String]) -> Vec<(u16, Value)> {
    stream::iter(paths).map(|path| visitor.get(path)).buffered(CALLS).collect().await
}

#[tokio::test]
async fn nothing_that_can_be_read_tells_of_another_tenant() {
    let (world, other) = (World::new("tenant-a").await, World::new("tenant-b").await);
    let hidden = format!("secret-{:08x}", rand::random::<u32>());
    let names = fill(&world, &hidden).await;
    let nobodys = Names::of_nobody(&names);
    let (theirs, none) = (paths(&world, &names).await, paths(&world, &nobodys).await);

    // It is there to be seen, for whoever may.
    let everything = answers(&admin(&world), &theirs).await;
    let seen = everything.iter().filter(|(_, answer)| answer.to_string().contains(&hidden)).count();
    assert!(seen > 15, "{seen}");

    let people = People::of_stack();
    let (owner, nobody) = (people.person("other-owner", &[]).await, people.person("no-member", &[]).await);
    let visitors = [Visitor::of(&world, &owner).await, Visitor::of(&world, &nobody).await];
    join(&other, &team(&other, "keepers", "admin").await, &owner).await;
    assert_eq!(visitors[0].get(&format!("organization/{}/logs", other.namespace)).await.0, 200, "at home they may");
    let mut wrong = Vec::new();
    for visitor in &visitors {
        let (of_theirs, of_none) = (answers(visitor, &theirs).await, answers(visitor, &none).await);
        for ((path, there), gone) in theirs.iter().zip(of_theirs).zip(of_none) {
            let text = there.1.to_string();
            if text.contains(&hidden) || text.contains("hidden-team") && !path.contains("hidden-team") {
                wrong.push(format!("{path}: {there:?}"));
            }
            // That there is a user of a name is no secret.
            if !path.starts_with("users/") && (there.0, names.told(&there.1)) != (gone.0, nobodys.told(&gone.1)) {
                wrong.push(format!("{path}: {there:?}, and of nobody's {gone:?}"));
            }
            if !path.contains(&names.namespace) && text.contains(&names.namespace) {
                wrong.push(format!("{path} names the namespace: {there:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What anybody may call who has signed in, and what is the caller's own or nobody's.
const OPEN: [&str; 5] =
    ["/signin/oidc", "/user/initialize", "/user/apptoken", "/user/apptoken/{token_uuid}", "/webhooks/{webhook}"];

#[tokio::test]
async fn nothing_that_can_be_called_changes_anything_of_another_tenant() {
    let (world, other) = (World::new("tenant-c").await, World::new("tenant-d").await);
    let names = fill(&world, "secret-never-changed").await;
    let owner = People::of_stack().person("elsewhere-owner", &[]).await;
    let visitor = Visitor::of(&world, &owner).await;
    join(&other, &team(&other, "keepers", "admin").await, &owner).await;
    let (_, description) = world.send(Method::GET, "openapi.json", None, None).await;
    let mut wrong = Vec::new();
    let mut called = 0;
    for (template, methods) in description["paths"].as_object().unwrap() {
        let changes = ["put", "post", "delete"].into_iter().filter(|method| methods.get(*method).is_some());
        for method in changes.filter(|_| !OPEN.contains(&template.as_str())) {
            let path = names.fill(
                &template.replace("{trust_root}", "public-good").replace("{token_id}", &names.app_token),
                &names.notification,
            );
            // What is sent names the tenant, where the path does not.
            let (namespace, user) = (&names.namespace, &names.user);
            let body = json!({
                "namespace": namespace, "repository": "new", "name": namespace, "visibility": "public", "description": "",
                "role": "admin", "enabled": false, "group_name": user, "state": "NORMAL",
            });
            let (status, answer) = visitor.call(method.to_uppercase().parse().unwrap(), &path, &body).await;
            called += 1;
            if !matches!(status, 401 | 403 | 404) || answer.to_string().contains("secret-never-changed") {
                wrong.push(format!("{method} {path}: {status} {answer}"));
            }
        }
    }
    assert!(called > 50, "{called}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nor by a role on a repository of their own, for a robot or a team of another's, or as a mirror's robot.
    let own = format!("repository/{}", other.repository);
    let robot = format!("{}%2Bbot", names.namespace);
    for (path, body) in [
        (format!("{own}/permissions/user/{robot}"), json!({"role": "read"})),
        (format!("{own}/permissions/team/hidden-team"), json!({"role": "read"})),
        (format!("organization/{}/team/keepers/members/{robot}", other.namespace), Value::Null),
    ] {
        let (status, answer) = visitor.put(&path, body).await;
        assert!((400..500).contains(&status), "{path}: {status} {answer}");
    }
    let mut mirror = other.mirror_body("127.0.0.1:1");
    mirror["robot_username"] = json!(format!("{}+bot", names.namespace));
    assert!((400..500).contains(&visitor.post(&format!("{own}/mirror"), mirror).await.0));
}

#[tokio::test]
async fn who_may_read_one_repository_sees_nothing_of_the_next_one() {
    let world = World::new("tenant-guest").await;
    let hidden = format!("secret-{:08x}", rand::random::<u32>());
    let names = fill(&world, &hidden).await;
    let shared =
        json!({"namespace": world.namespace, "repository": "shared", "visibility": "private", "description": ""});
    assert_eq!(admin(&world).post("repository", shared).await.0, 201);
    let people = People::of_stack();
    let guest = people.person("guest", &[]).await;
    let visitor = Visitor::of(&world, &guest).await;
    let role = format!("repository/{}/shared/permissions/user/{}", world.namespace, guest.name);
    assert_eq!(admin(&world).put(&role, json!({"role": "admin"})).await.0, 200);
    assert_eq!(visitor.get(&format!("repository/{}/shared/logs", world.namespace)).await.0, 200);
    assert_eq!(visitor.repositories().await, ["shared"]);
    let paths = paths(&world, &names).await;
    let mut wrong = Vec::new();
    for (path, (status, answer)) in paths.iter().zip(answers(&visitor, &paths).await) {
        let text = answer.to_string();
        let of_another = text.contains(&world.repository.to_string()) && !path.contains(&world.repository.to_string());
        let of_team = text.contains("hidden-team") && !path.contains("hidden-team");
        let of_user = text.contains(&names.user) && !path.contains(&names.user);
        if text.contains(&hidden) || of_another || of_team || of_user {
            wrong.push(format!("{path}: {status} {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn pages_of_mirrors_end_at_names_that_their_reader_holds() {
    let (world, people) = (World::new("overview-pages").await, People::of_stack());
    let person = people.person("pager", &[]).await;
    let visitor = Visitor::of(&world, &person).await;
    world.create_mirror("quay.io", json!({})).await;
    for (name, is_held) in
        [("a-hidden", false), ("b-held", true), ("c-hidden", false), ("d-held", true), ("z-hidden", false)]
    {
        let repository = seed::repository(&world, name, "private").await;
        let of_it = World { repository, ..world.clone() };
        of_it.create_mirror("quay.io", json!({})).await;
        if is_held {
            grant(&of_it, &person, "read").await;
        }
    }
    for limit in [1, 2, 100] {
        let (mut seen, mut ends, mut next) = (Vec::new(), Vec::new(), String::new());
        loop {
            let path = format!("mirror/overview?namespace={}&limit={limit}{next}", world.namespace);
            let (status, page) = visitor.get(&path).await;
            assert_eq!(status, 200, "{page}");
            assert!(!page.to_string().contains("hidden"), "{page}");
            let mirrors = page["mirrors"].as_array().unwrap().iter();
            seen.extend(mirrors.map(|it| it["repository"].as_str().unwrap().to_owned()));
            let Some(end) = page["next_page"].as_str() else { break };
            next = format!("&next_page={end}");
            ends.push(end.to_owned());
        }
        assert_eq!(seen, ["b-held", "d-held"], "{limit} {ends:?}");
        assert!(ends.iter().all(|end| end.ends_with("-held")), "{limit} {ends:?}");
    }
}
