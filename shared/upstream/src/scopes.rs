//! What tokens are asked for: what we think it takes, and what the registry says it takes. A proxy may strip a prefix of
//! the path before the registry sees it, and some registries have scopes of their own making.

/// The most scopes of one token: a registry names one a repository, some name a second.
const MAX_SCOPES: usize = 8;
/// The longest scope. Names of repositories have up to 255 bytes.
const MAX_SCOPE: usize = 512;

/// The scopes of one identity at one registry.
#[derive(Debug)]
pub(crate) struct Scopes {
    own: String,
    /// Those of challenges that are not ours.
    named: Vec<String>,
    /// Which of the sets is asked for now.
    set: usize,
}

impl Scopes {
    /// With the scope that the distribution's token specification gives what we ask for.
    pub(crate) fn new(own: String) -> Self {
        Self { own, named: Vec::new(), set: 0 }
    }

    /// Takes in what a challenge names. Tells whether that is new: then all is asked for again.
    pub(crate) fn learn(&mut self, challenged: &[String]) -> bool {
        let known = self.named.len();
        for scope in challenged {
            let is_known = *scope == self.own || self.named.contains(scope);
            if !is_known && scope.len() <= MAX_SCOPE && self.named.len() < MAX_SCOPES {
                self.named.push(scope.clone());
            }
        }
        let is_new = self.named.len() > known;
        if is_new {
            self.set = 0;
        }
        is_new
    }

    /// Whether there is anything else to ask for than our own.
    pub(crate) fn are_several(&self) -> bool {
        !self.named.is_empty()
    }

    /// What is asked for: all; and where a token server does not give that, or reads one scope only, what the registry
    /// named; or ours.
    pub(crate) fn asked(&self) -> Vec<&str> {
        let named = self.named.iter().map(String::as_str);
        let own = std::iter::once(self.own.as_str());
        match self.set {
            _ if !self.are_several() => own.collect(),
            0 => named.chain(own).collect(),
            1 => named.collect(),
            _ => own.collect(),
        }
    }

    /// How many sets there are.
    pub(crate) fn sets(&self) -> usize {
        if self.are_several() { 3 } else { 1 }
    }

    /// Asks for the next set from now on.
    pub(crate) fn turn(&mut self) {
        self.set = self.set.saturating_add(1) % self.sets();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_names_is_asked_for_beside_ours() {
        let mut scopes = Scopes::new("repository:a/b:pull".into());
        assert!(!scopes.learn(&["repository:a/b:pull".into()]));
        assert_eq!((scopes.asked(), scopes.sets()), (vec!["repository:a/b:pull"], 1));
        assert!(scopes.learn(&["repository:b:pull".into(), "aws".into()]));
        assert_eq!(scopes.asked(), ["repository:b:pull", "aws", "repository:a/b:pull"]);
        scopes.turn();
        assert_eq!(scopes.asked(), ["repository:b:pull", "aws"]);
        scopes.turn();
        assert_eq!(scopes.asked(), ["repository:a/b:pull"]);
        assert!(!scopes.learn(&["aws".into()]));
        scopes.turn();
        assert_eq!(scopes.asked().len(), 3);
        scopes.turn();
        assert!(scopes.learn(&["other".into()]));
        assert_eq!(scopes.asked().len(), 4, "what is new is asked for with all");
    }

    #[test]
    fn scopes_are_bounded() {
        let mut scopes = Scopes::new("own".into());
        assert!(!scopes.learn(&["x".repeat(MAX_SCOPE + 1)]));
        let many: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        assert!(scopes.learn(&many) && !scopes.learn(&many));
        assert_eq!(scopes.asked().len(), MAX_SCOPES + 1);
    }
}
