//! Two tags of one run that share a blob: one fails, and what it linked is to go; the other one is published.

use crate::explore::{self, explore};

/// A rule that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A tag that fails takes its links with it at once, whoever else may want them.
    UntilAllHaveEnded,
    /// At the end all links of the failed tag go, also those that published tags need.
    WhatIsNeededStays,
    /// At the end nothing goes.
    RemoveLinks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tag {
    New,
    /// It has the blob's link, or knows that the run wrote it.
    Linked,
    Published,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    link: bool,
    /// The run remembers what it has linked, and does not do so twice.
    remembered: bool,
    /// The first fails, and the second may.
    tags: [Tag; 2],
    /// The run has come to its end and decided whether the link goes.
    goes: Option<bool>,
    ended: bool,
}

impl explore::World for World {
    type Without = Without;

    fn next(self, without: Without) -> Vec<Self> {
        let mut next = Vec::new();
        for index in 0..2 {
            let step = |tag: Tag, link: bool| {
                let mut world = Self { link, remembered: self.remembered || link, ..self };
                world.tags[index] = tag;
                world
            };
            match self.tags[index] {
                Tag::New => next.push(step(Tag::Linked, self.link || !self.remembered)),
                Tag::Linked => {
                    let at_once = without == Without::UntilAllHaveEnded;
                    next.push(step(Tag::Failed, self.link && !at_once));
                    if index == 1 {
                        next.push(step(Tag::Published, self.link));
                    }
                }
                Tag::Published | Tag::Failed => {}
            }
        }
        let have_ended = self.tags.iter().all(|tag| matches!(tag, Tag::Published | Tag::Failed));
        let is_needed = self.tags.contains(&Tag::Published);
        if have_ended && self.goes.is_none() {
            let goes = (!is_needed || without == Without::WhatIsNeededStays) && without != Without::RemoveLinks;
            next.push(Self { goes: Some(goes), ..self });
        }
        if let (Some(goes), false) = (self.goes, self.ended) {
            next.push(Self { link: self.link && !goes, ended: true, ..self });
        }
        next
    }

    fn is_broken(self) -> bool {
        let is_needed = self.tags.contains(&Tag::Published);
        (is_needed && !self.link) || (self.ended && self.link && !is_needed)
    }
}

const START: World = World { link: false, remembered: false, tags: [Tag::New; 2], goes: None, ended: false };

#[test]
fn what_a_failed_tag_linked_goes_and_what_another_one_needs_stays() {
    let (states, broken) = explore([START], Without::Nothing);
    assert!(!broken && states > 10, "{states}");
}

#[test]
fn every_rule_is_needed() {
    for without in [Without::UntilAllHaveEnded, Without::WhatIsNeededStays, Without::RemoveLinks] {
        assert!(explore([START], without).1, "{without:?} makes no difference");
    }
}
