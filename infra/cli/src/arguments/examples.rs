//! Examples, for the help of each command.

pub(super) const ALL: &str = "\
Examples:
  export MOORAGE_URL=https://moorage.example.com
  moorage login                           sign in; or set MOORAGE_TOKEN
  moorage doctor                          whether everything works
  moorage plan -f mirrors.yaml            what would change
  moorage apply -f mirrors.yaml           have it so
  moorage sync acme/app --wait            sync now, and see how it ends
  moorage runs acme/app                   what happened
  moorage rollback acme/app --run ID      turn it back";

pub(super) const PLAN: &str = "\
Exits with 0 if there is nothing to do, with 2 if there is, with 1 if it cannot
be said or cannot be done.

Examples:
  moorage plan -f mirrors.yaml
  moorage plan -f organizations.yaml -f teams/
  moorage plan -f mirrors.yaml --prune --output json

A document (`moorage schema` has all of it):
  organizations:
    acme:
      robots: {mirror: {description: mirrors for acme}}
  repositories:
    acme/app:
      mirror:
        external_reference: quay.io/acme/app
        robot_username: acme+mirror
        root_rule: {rule_kind: tag_glob_csv, rule_value: [\"v*\"]}
        external_registry_username: acme+pull
        external_registry_password: {env: QUAY_PASSWORD}";

pub(super) const APPLY: &str = "\
It goes on after what fails with what does not need it, and exits with 1 then.
Run it again: what is done is not done twice.

Examples:
  moorage apply -f mirrors.yaml
  moorage apply -f mirrors/ --prune --yes";

pub(super) const IMPORT: &str = "\
Nothing is made without --apply, and no mirror starts without --enable. Exits
with 0 if everything means the same here, with 2 if something does not or is
not possible, with 1 if it failed.

Examples:
  moorage import quay --from https://quay.example.com \\
    --from-token-file quay.token --organization acme --out mirrors.yaml
  moorage import regsync regsync.yaml --organization acme
  moorage import skopeo-sync sync.yaml --organization acme --apply
  moorage import image-syncer images.yaml --auth auth.yaml
  curl -u admin https://harbor.example.com/api/v2.0/replication/policies \\
    | moorage import harbor - --out mirrors.yaml";

pub(super) const IMPORT_QUAY: &str = "\
Robots keep their tokens, so that no pull secret in any cluster has to change.

Examples:
  moorage import quay --from https://quay.example.com \\
    --from-token-file quay.token --organization acme
  moorage import quay ... --out mirrors.yaml --secrets secrets/
  moorage import quay ... --rename acme=acme-mirrors --apply";

pub(super) const SYNC: &str = "\
Ctrl-C ends the waiting, not the sync.

Examples:
  moorage sync acme/app
  moorage sync acme/app --wait --timeout 900
  moorage sync acme --wait                all repositories of a mirrored
                                          organization";

pub(super) const PREVIEW: &str = "\
It asks the registry, and takes up to half a minute.

Examples:
  moorage preview acme/app
  moorage preview acme/app --action copy --action delete
  moorage preview acme/app -f mirrors.yaml    before it is applied";

pub(super) const RUNS: &str = "\
Examples:
  moorage runs                            all mirrors, and how they do
  moorage runs acme/app                   the runs of one, the newest first
  moorage runs acme/app last              what became of each tag in the last one
  moorage runs acme/app ID --output json";

pub(super) const CHANGES: &str = "\
Examples:
  moorage changes acme/app                what the last run has changed
  moorage changes acme/app ID
  moorage changes acme/app --since ID     all that has changed after a run";

pub(super) const ROLLBACK: &str = "\
It looks first which tags would be turned and whether all of their content is
here, says so, and asks. The mirror is paused then: `moorage resume` ends that.

Examples:
  moorage rollback acme/app --run ID --dry-run
  moorage rollback acme/app --run ID --tag 'v2.*'
  moorage rollback acme --at 2026-01-31T23:59:59Z --yes --wait";

pub(super) const PIN: &str = "\
Exits with 2 if there was no time to look at all of it: pin it once more then.

Examples:
  moorage pin acme/app last --reason 'release 7'
  moorage rollback acme/app --run ID      however long that is ago
  moorage unpin acme/app ID";

pub(super) const COST: &str = "\
Examples:
  moorage cost acme/app                   the runs of 30 days, and a month
  moorage cost acme                       each mirror of an organization";

pub(super) const HOLDS: &str = "\
Examples:
  moorage holds list acme/app
  moorage holds release acme/app sha256:... --reason 'CVE-2026-1234'";

pub(super) const LOGS: &str = "\
With --output json each entry is a document on its own line.

Examples:
  moorage logs acme/app
  moorage logs acme/app --follow
  moorage logs acme/app --since 2026-01-31 -n 1000";

pub(super) const NODES: &str = "\
Examples:
  moorage nodes                           both files, and where they go
  moorage nodes hosts.toml > /etc/containerd/certs.d/_default/hosts.toml
  moorage nodes registries.conf \\
    > /etc/containers/registries.conf.d/moorage.conf";

pub(super) const LOGIN: &str = "\
The sign-in is kept in a file that only you can read, below $XDG_STATE_HOME or
~/.local/state, and renewed by the provider. MOORAGE_TOKEN and --token-file
come before it.

Examples:
  moorage login
  moorage login --url https://moorage.example.com && moorage whoami";

pub(super) const WHOAMI: &str = "\
Examples:
  moorage whoami
  moorage whoami --output json            the API's own answer";

pub(super) const USERS: &str = "\
Whoever is deleted is known no more: the name is free, and what the user had is
gone. Whoever is disabled keeps it, and is not let in.

Examples:
  moorage users list
  moorage users disable alice@example.com
  moorage users delete alice@example.com";

pub(super) const APP_TOKEN: &str = "\
The token is printed once, and nobody can see it again.

Examples:
  moorage app-token create laptop --expires 2027-01-31T00:00:00Z
  moorage app-token create laptop \\
    | docker login -u alice --password-stdin registry.example.com
  moorage app-token list
  moorage app-token delete 0198f2c4-...";

pub(super) const DOCTOR: &str = "\
Exits with 0 if nothing is wrong (there may be warnings), with 1 otherwise.
A token for everything is told of all mirrors, of garbage, of registries'
limits, of what the functions may do, and of alarms.

Examples:
  moorage doctor
  moorage doctor acme/app                 and whether its registry can be asked";

pub(super) const COMPLETIONS: &str = "\
Examples:
  moorage completions bash > /etc/bash_completion.d/moorage
  moorage completions zsh > ~/.zfunc/_moorage
  moorage completions fish > ~/.config/fish/completions/moorage.fish";
