//! The sync function under a limit of memory that the kernel enforces.

use std::{
    fs,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    task::Poll,
    time::Duration,
};

use aws_sdk_lambda::primitives::Blob;

use crate::{eventually, logs, stack::Stack};

/// Runs `test` while the stack's sync function may write to no more than so many megabytes, resident or not
/// (`RLIMIT_DATA`): an allocation beyond that ends the process. Afterwards the function is as it was, whatever came of
/// the test, and no process of it has run out of memory.
pub async fn limited(stack: &Stack, megabytes: usize, mut test: Pin<Box<dyn Future<Output = ()>>>) {
    let exhausted = exhausted(stack).await;
    let script = format!(
        "#!/bin/sh\nulimit -d {} || exit 1\nexec {}\n",
        megabytes * 1024,
        built().join("debug/moorage-sync").display()
    );
    let folder = tempfile::tempdir().unwrap();
    deploy(stack, zipped(folder.path(), &script)).await;
    let tested = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| test.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    deploy(stack, fs::read(built().join("lambda/sync.zip")).unwrap()).await;
    if let Err(panic) = tested {
        resume_unwind(panic);
    }
    assert_eq!(self::exhausted(stack).await, exhausted, "the sync function ran out of {megabytes} MiB");
}

/// How often the function ran out of memory so far.
async fn exhausted(stack: &Stack) -> usize {
    logs::lines(stack, &stack.sync_function, "memory allocation of").await.len()
}

fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").canonicalize().unwrap()
}

async fn deploy(stack: &Stack, zip: Vec<u8>) {
    let lambda = aws_sdk_lambda::Client::new(&stack.aws);
    eventually("the sync function can be changed", Duration::from_secs(30), async || {
        let update = lambda.update_function_code().function_name(&stack.sync_function);
        update.zip_file(Blob::new(zip.clone())).send().await.ok()
    })
    .await;
}

/// A function's package that holds only this script.
fn zipped(folder: &Path, script: &str) -> Vec<u8> {
    let (bootstrap, zip) = (folder.join("bootstrap"), folder.join("function.zip"));
    fs::write(&bootstrap, script).unwrap();
    let made = Command::new("python3").args(["-m", "zipfile", "-c"]).args([&zip, &bootstrap]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::read(zip).unwrap()
}
