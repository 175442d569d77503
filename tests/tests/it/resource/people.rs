//! A role of somebody who has signed in.

use moorage_tests::{people::People, world::World};
use reqwest::Method;
use serde_json::json;

use super::{declared, name, shown, template};

#[tokio::test]
async fn a_stack_gives_somebody_a_role_who_has_signed_in() {
    let (world, people) = (World::new("stack-people").await, People::of_stack());
    let person = people.person("ann", &[]).await;
    let role = |role: &str, who: &str| {
        let properties = json!({"repository": world.repository, "username": who, "role": role});
        template(&[("Role", "Permission", properties)])
    };
    let early = declared(&name("people-early"), role("read", &person.name)).await;
    assert_eq!(early.create(&[]).await, "ROLLBACK_COMPLETE", "nobody is made by being named");
    let reason = early.reason("Role").await;
    assert!(reason.contains(&person.name), "{reason}");

    let token = person.token().await;
    assert_eq!(world.send(Method::GET, "user/", Some(&token), None).await.0, 200);
    let mut stack = declared(&name("people"), role("read", &person.name)).await;
    assert_eq!(stack.create(&[]).await, "CREATE_COMPLETE", "{:?}", stack.events().await);
    let path = format!("repository/{}/permissions/user/{}", world.repository, person.name);
    assert_eq!(shown(&world, &path).await.unwrap()["role"], "read");
    let id = format!("moorage/{}/permission/user/{}", world.repository, person.name);
    assert_eq!(stack.physical_id("Role").await, id);
    assert_eq!(stack.replace(role("write", &person.name)).await, "UPDATE_COMPLETE");
    assert_eq!(shown(&world, &path).await.unwrap()["role"], "write");
    assert_eq!(stack.delete().await, "DELETE_COMPLETE");
    assert_eq!(shown(&world, &path).await, Err(400));
}
