//! The console, in a real browser, on the deployed stack.

mod changes;
mod clouds;
mod front;
mod gate;
mod guide;
mod hostile;
mod leaving;
mod lists;
mod mirroring;
mod notifications;
mod pages;
mod people;
mod pure;
mod robots;
mod roles;
mod rollback;
mod screenshots;
mod served;
mod session;
mod settings;
mod webhook;
