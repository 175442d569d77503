//! regsync's file, as regclient reads it.

use std::collections::BTreeMap;

use crate::import::input::record;

record! {
    /// The file.
    Config {
        /// Of the format.
        version: u64 = "version",
        /// Registries and their logins.
        creds: Vec<Host> = "creds",
        /// Settings of all entries.
        defaults: Settings = "defaults",
        /// What is copied.
        sync: Vec<Sync> = "sync",
    }
}

record! {
    /// A registry.
    Host {
        /// Its name.
        registry: String = "registry",
        /// Where it is, if that is elsewhere.
        hostname: String = "hostname",
        /// The user there.
        user: String = "user",
        /// The password there.
        pass: String = "pass",
        /// A token there.
        token: String = "token",
        /// A program that knows the login.
        cred_helper: String = "credHelper",
        /// For how long.
        cred_expire: String = "credExpire",
        /// Of that program.
        helper_host: String = "credHost",
        /// `enabled`, `insecure` or `disabled`.
        tls: String = "tls",
        /// `https` or `http`, of earlier releases.
        scheme: String = "scheme",
        /// Its certificate.
        reg_cert: String = "regcert",
        /// A certificate of who asks.
        client_cert: String = "clientCert",
        /// Its key.
        client_key: String = "clientKey",
        /// What is put before names there.
        path_prefix: String = "pathPrefix",
        /// Other registries that have the same.
        mirrors: Vec<String> = "mirrors",
        /// Which of them is asked first.
        priority: u64 = "priority",
        /// Whether each repository has its own login.
        repo_auth: bool = "repoAuth",
        /// How large parts are.
        blob_chunk: i64 = "blobChunk",
        /// From which size on there are parts.
        blob_max: i64 = "blobMax",
        /// How many requests there may be in a second.
        req_per_sec: f64 = "reqPerSec",
        /// How many at once.
        req_concurrent: i64 = "reqConcurrent",
        /// Whatever else.
        api_opts: BTreeMap<String, String> = "apiOpts",
        /// Nothing any more.
        api: String = "api",
    }
}

record! {
    /// What entries have, and all of them by default.
    Settings {
        /// The name under which what is overwritten is kept.
        backup: String = "backup",
        /// Time between starts.
        interval: String = "interval",
        /// Starts, as cron has them.
        schedule: String = "schedule",
        /// What is left to others.
        rate_limit: RateLimit = "ratelimit",
        /// How many entries at once.
        parallel: i64 = "parallel",
        /// Whether tags that are made of digests are copied.
        digest_tags: bool = "digestTags",
        /// Whether referrers are copied.
        referrers: bool = "referrers",
        /// Which of them.
        referrer_filters: Vec<ReferrerFilter> = "referrerFilters",
        /// Where they are.
        referrer_source: String = "referrerSource",
        /// Where they go.
        referrer_target: String = "referrerTarget",
        /// Whether they are asked for the slow way.
        referrer_slow: bool = "referrerSlow",
        /// Whether nothing is asked of what is there.
        fast_check: bool = "fastCheck",
        /// Whether everything is.
        force_recursive: bool = "forceRecursive",
        /// Whether layers that are elsewhere are copied.
        include_external: bool = "includeExternal",
        /// Which kinds of images.
        media_types: Vec<String> = "mediaTypes",
        /// Programs that are called.
        hooks: Hooks = "hooks",
        /// How large a blob may be.
        blob_limit: i64 = "blobLimit",
        /// Of a cache.
        cache_count: i64 = "cacheCount",
        /// Of a cache.
        cache_time: String = "cacheTime",
        /// Whether Docker's logins are used.
        skip_docker_config: bool = "skipDockerConfig",
        /// Who is said to ask.
        user_agent: String = "userAgent",
    }
}

record! {
    /// An entry.
    Sync {
        /// From where.
        source: String = "source",
        /// To where.
        target: String = "target",
        /// `registry`, `repository` or `image`.
        kind: String = "type",
        /// Which tags.
        tags: TagSet = "tags",
        /// Which tags, in several ways.
        tag_sets: Vec<TagSet> = "tagSets",
        /// Which repositories.
        repos: RepositorySet = "repos",
        /// The one platform.
        platform: String = "platform",
        /// The platforms.
        platforms: Vec<String> = "platforms",
        /// As in [`Settings`].
        backup: String = "backup",
        /// As in [`Settings`].
        interval: String = "interval",
        /// As in [`Settings`].
        schedule: String = "schedule",
        /// As in [`Settings`].
        rate_limit: RateLimit = "ratelimit",
        /// As in [`Settings`].
        digest_tags: bool = "digestTags",
        /// As in [`Settings`].
        referrers: bool = "referrers",
        /// As in [`Settings`].
        referrer_filters: Vec<ReferrerFilter> = "referrerFilters",
        /// As in [`Settings`].
        referrer_source: String = "referrerSource",
        /// As in [`Settings`].
        referrer_target: String = "referrerTarget",
        /// As in [`Settings`].
        referrer_slow: bool = "referrerSlow",
        /// As in [`Settings`].
        fast_check: bool = "fastCheck",
        /// As in [`Settings`].
        force_recursive: bool = "forceRecursive",
        /// As in [`Settings`].
        include_external: bool = "includeExternal",
        /// As in [`Settings`].
        media_types: Vec<String> = "mediaTypes",
        /// As in [`Settings`].
        hooks: Hooks = "hooks",
    }
}

record! {
    /// What is left to others.
    RateLimit {
        /// How many manifests.
        min: u64 = "min",
        /// How long it waits then.
        retry: String = "retry",
    }
}

record! {
    /// Which tags.
    TagSet {
        /// Expressions of what is taken.
        allow: Vec<String> = "allow",
        /// Expressions of what is left out.
        deny: Vec<String> = "deny",
        /// Ranges of versions.
        semver_range: Vec<String> = "semverRange",
    }
}

record! {
    /// Which repositories.
    RepositorySet {
        /// Expressions of what is taken.
        allow: Vec<String> = "allow",
        /// Expressions of what is left out.
        deny: Vec<String> = "deny",
    }
}

record! {
    /// Which referrers.
    ReferrerFilter {
        /// Of this type.
        artifact_type: String = "artifactType",
        /// With these annotations.
        annotations: BTreeMap<String, String> = "annotations",
    }
}

record! {
    /// Programs that are called.
    Hooks {
        /// Before.
        pre: Hook = "pre",
        /// After.
        post: Hook = "post",
        /// If nothing has changed.
        unchanged: Hook = "unchanged",
    }
}

record! {
    /// A program.
    Hook {
        /// Of which kind.
        kind: String = "type",
        /// With what.
        params: Vec<String> = "params",
    }
}
