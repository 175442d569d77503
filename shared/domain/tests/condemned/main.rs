//! The garbage protocol and what it rests on, gone through exhaustively: every interleaving of everybody's steps, and each
//! of them may stop for ever at any step. Nothing breaks; and with any one rule removed, some interleaving shows what
//! does. Several small models stand for one large one, which nobody could go through:
//!
//! * [`garbage`]: one sync that publishes an image with one blob, and two collectors that know nothing of each other;
//! * [`possession`]: who may have a blob at all. A repository that has it by another one's link while that is pruned, and
//!   a tenant who names it without having a byte of it;
//! * [`run`]: two tags of one run that share a blob, one of which fails;
//! * [`lock`]: prune, syncs, tags set by hand, mirrors that are made and ended, and a purge, all of one repository;
//! * [`pin`]: a run that is pinned and unpinned while a sync moves its tag, the past is forgotten, and collectors collect.
//!
//! Time is left out: the grace is over whenever a collector likes, and a lock ends whenever it likes, which allows more
//! than real clocks do. Two things are left to time: that a deletion is abandoned only when its collector is gone, because
//! [`TAKE_OVER`](moorage_domain::condemned::TAKE_OVER) outlives every function; and that a request which was begun while
//! its lock had some time left has ended when the lock ends.

mod collector;
mod explore;
mod garbage;
mod lock;
mod pin;
mod possession;
mod run;
mod sync;
