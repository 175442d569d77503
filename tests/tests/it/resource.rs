//! What stacks of CloudFormation declare.
//!
//! The emulator's CloudFormation makes, changes and deletes stacks. It sends no `Delete` of what could not be made, no request
//! twice, and none that goes back from a replacement: for these the function is invoked as CloudFormation would.

mod direct;
mod failures;
mod people;
mod secrets;
mod stack;

use moorage_tests::{declared::Declared, stack::Stack, world::World};
use rand::Rng as _;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// What the example has.
const EXAMPLE: &str = include_str!("../../../infra/examples/mirrors.yaml");

/// A name that no other test has.
fn name(test: &str) -> String {
    format!("{test}-{:08x}", rand::rng().random::<u32>())
}

/// A template of some resources, each a type and its properties.
fn template(resources: &[(&str, &str, Value)]) -> String {
    let token = json!({"Fn::ImportValue": "moorage-ResourceFunctionArn"});
    let resource = |(name, kind, properties): &(&str, &str, Value)| {
        let mut properties = properties.clone();
        properties["ServiceToken"] = token.clone();
        ((*name).to_owned(), json!({"Type": format!("Custom::Moorage{kind}"), "Properties": properties}))
    };
    let resources: Map<_, _> = resources.iter().map(resource).collect();
    json!({"Resources": resources}).to_string()
}

/// A stack that is still to be made.
async fn declared(name: &str, template: String) -> Declared {
    Declared::new(&Stack::from_env().await, name, template)
}

/// What the API shows of a path, or its status.
async fn shown(world: &World, path: &str) -> Result<Value, u16> {
    match world.call(Method::GET, path, None).await {
        (200, view) => Ok(view),
        (status, _) => Err(status),
    }
}
