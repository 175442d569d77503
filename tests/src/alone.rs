//! The API's function as a process of a test's own, over the stack's table, with other settings than the stack's.

use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    function::Function,
    lab::{gateway, settings_of},
    stack::Stack,
};

/// An API of a test's own.
#[derive(Debug)]
pub struct Alone {
    /// The stack, whose API this is.
    pub stack: Stack,
    _serving: AbortOnDropHandle<()>,
    folder: TempDir,
}

impl Alone {
    /// With these settings besides, or instead of, the deployed function's.
    pub async fn with(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        let mut variables = settings_of(&stack.aws, &stack.api_function).await;
        variables.insert("AWS_ENDPOINT_URL".to_owned(), stack.endpoint().to_owned());
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let folder = tempfile::tempdir().unwrap();
        let function = Function::start("api", &variables, folder.path()).await;
        let (url, serving) = gateway::listen(function).await;
        Self { stack: Stack { url, ..stack.clone() }, _serving: serving, folder }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}
