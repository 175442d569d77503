//! The console, in a real browser, on the deployed stack.

mod front;
mod guide;
mod hostile;
mod mirroring;
mod pages;
mod screenshots;
mod served;
mod session;
