//! The example, from its first deployment to its end.

use moorage_domain::RepositoryName;
use moorage_tests::{
    declared::Declared,
    image::{Image, layer},
    receiver::Receiver,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{EXAMPLE, name, shown, template};

/// What tests call a world, without what tests make themselves: the stack does.
async fn world(name: &str) -> World {
    let stack = moorage_tests::stack::Stack::from_env().await;
    let repository = RepositoryName::new(name, "app").unwrap();
    World { stack, namespace: name.to_owned(), repository, path: format!("{name}/app") }
}

async fn push(world: &World, tag: &str) {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
}

#[tokio::test]
async fn the_example_is_made_changed_and_deleted() {
    let organization = name("declared");
    let world = world(&organization).await;
    let hook = Receiver::start().await;
    push(&world, "v1").await;
    push(&world, "latest").await;
    let reference = format!("{}/{}", world.stack.upstream, world.path);
    let parameters = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("Organization", organization.clone()),
            ("ExternalReference", reference.clone()),
            ("VerifyTls", "false".to_owned()),
            ("Tags", "v*".to_owned()),
            ("HookUrl", hook.url.clone()),
        ];
        for (key, value) in more {
            all.retain(|(known, _)| known != key);
            all.push((key, (*value).to_owned()));
        }
        all
    };
    let example = Declared::new(&world.stack, &organization, EXAMPLE);
    let update = async |more: &[(&'static str, &'static str)]| {
        let all = parameters(more);
        let all: Vec<_> = all.iter().map(|(key, value)| (*key, value.as_str())).collect();
        example.update(&all).await
    };

    let all = parameters(&[]);
    let all: Vec<_> = all.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let made = example.create(&all).await;
    assert_eq!(made, "CREATE_COMPLETE", "{:?}", example.events().await);
    let host = world.stack.url.strip_prefix("http://").unwrap();
    assert_eq!(example.output("PullReference").await, format!("{host}/{organization}/app"));
    assert_eq!(example.output("ReaderName").await, format!("{organization}+cluster"));
    assert_eq!(example.physical_id("Mirror").await, format!("moorage/{organization}/app/mirror"));
    let mirror = world.mirror().await;
    let expected =
        (json!(reference), json!(["v*"]), json!(86_400), json!(false), json!(format!("{organization}+mirror")));
    let config = &mirror["external_registry_config"]["verify_tls"];
    let found = (
        &mirror["external_reference"],
        &mirror["root_rule"]["rule_value"],
        &mirror["sync_interval"],
        config,
        &mirror["robot_username"],
    );
    assert_eq!(found, (&expected.0, &expected.1, &expected.2, &expected.3, &expected.4));
    let role = format!("repository/{organization}/app/permissions/user/{organization}+cluster");
    assert_eq!(shown(&world, &role).await.unwrap()["role"], "read");
    let uuid = example.output("NotificationUuid").await;
    let told = shown(&world, &format!("repository/{organization}/app/notification/{uuid}")).await.unwrap();
    assert_eq!((&told["config"]["url"], &told["event_config"]["min_interval"]), (&json!(hook.url), &json!(3600)));
    assert_eq!(world.sync().await["status"], "SUCCESS");

    // What somebody has changed by hand stays; what the template changes is changed.
    world.change_mirror(json!({"sync_interval": 7200})).await;
    assert_eq!(update(&[("Tags", "latest,v*")]).await, "UPDATE_COMPLETE");
    let mirror = world.mirror().await;
    assert_eq!(
        (&mirror["root_rule"]["rule_value"], &mirror["sync_interval"]),
        (&json!(["latest", "v*"]), &json!(7200))
    );

    // Another name is another repository, with another mirror. The one before has images, and stays without its mirror.
    assert_eq!(update(&[("Tags", "latest,v*"), ("Repository", "app2")]).await, "UPDATE_COMPLETE");
    let other = format!("repository/{organization}/app2");
    assert_eq!(shown(&world, &format!("{other}/mirror")).await.unwrap()["external_reference"], json!(reference));
    assert_eq!(shown(&world, &world.mirror_path("")).await, Err(404));
    let kept = shown(&world, &format!("repository/{organization}/app")).await.unwrap();
    assert_eq!((&kept["state"], kept["tags"].as_object().unwrap().len()), (&json!("NORMAL"), 1));
    assert_ne!(example.output("NotificationUuid").await, uuid);

    assert_eq!(example.delete().await, "DELETE_COMPLETE");
    assert_eq!(shown(&world, &other).await, Err(404), "it was empty");
    assert!(shown(&world, &format!("repository/{organization}/app")).await.is_ok(), "it is not");
    let robots = shown(&world, &format!("organization/{organization}/robots")).await.unwrap();
    assert_eq!(robots["robots"], json!([]), "nobody has their tokens any more");
}

#[tokio::test]
async fn what_is_to_be_removed_goes_with_its_images() {
    let organization = name("removed");
    let world = world(&organization).await;
    push(&world, "v1").await;
    let reference = format!("{}/{}", world.stack.upstream, world.path);
    let parameters = |on_delete| {
        [
            ("Organization", organization.as_str()),
            ("ExternalReference", &reference),
            ("VerifyTls", "false"),
            ("OnDelete", on_delete),
        ]
    };
    let example = Declared::new(&world.stack, &organization, EXAMPLE);
    assert_eq!(example.create(&parameters("keep")).await, "CREATE_COMPLETE");
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // How something ends is the template's last word.
    assert_eq!(example.update(&parameters("remove")).await, "UPDATE_COMPLETE");
    assert_eq!(example.delete().await, "DELETE_COMPLETE");
    assert_eq!(shown(&world, &format!("organization/{organization}")).await, Err(404));
    // The name is free, and its next owner's is nothing of what was there.
    assert_eq!(world.call(Method::POST, "organization/", Some(json!({"name": organization}))).await.0, 201);
}

#[tokio::test]
async fn a_namespace_of_a_registry_is_declared_as_a_whole() {
    let organization = name("whole");
    let world = world(&organization).await;
    let declared = |kind: &str, filters: Value| {
        let robot = json!({"organization": {"Fn::GetAtt": ["Org", "name"]}, "robot_shortname": "mirror"});
        let mirror = json!({
            "organization": {"Fn::GetAtt": ["Org", "name"]}, "external_registry_type": kind, "external_namespace": organization,
            "external_registry_url": format!("http://{}", world.stack.upstream), "repository_filters": filters,
            "external_registry_config": {"verify_tls": false}, "robot_username": {"Fn::GetAtt": ["Robot", "name"]},
        });
        template(&[
            ("Org", "Organization", json!({"name": organization})),
            ("Robot", "Robot", robot),
            ("Whole", "OrganizationMirror", mirror),
        ])
    };
    let mut stack = Declared::new(&world.stack, &organization, declared("distribution", json!(["app"])));
    assert_eq!(stack.create(&[]).await, "CREATE_COMPLETE", "{:?}", stack.events().await);
    let path = format!("organization/{organization}/mirror");
    let mirror = shown(&world, &path).await.unwrap();
    assert_eq!((&mirror["repository_filters"], &mirror["visibility"]), (&json!(["app"]), &json!("private")));
    assert_eq!(stack.replace(declared("distribution", json!(["tools/*"]))).await, "UPDATE_COMPLETE");
    assert_eq!(shown(&world, &path).await.unwrap()["repository_filters"], json!(["tools/*"]));
    // What the API cannot change is said, and nothing else is changed with it.
    assert_eq!(stack.replace(declared("harbor", json!(["x"]))).await, "UPDATE_ROLLBACK_COMPLETE");
    let reason = stack.reason("Whole").await;
    assert!(reason.starts_with("external_registry_type cannot be changed by the API"), "{reason}");
    assert_eq!(shown(&world, &path).await.unwrap()["repository_filters"], json!(["tools/*"]));
    assert_eq!(stack.delete().await, "DELETE_COMPLETE");
    assert_eq!(shown(&world, &format!("organization/{organization}")).await, Err(404), "nothing was in it");
}
