use serde_json::{Value, json};

use super::*;

const PROVIDER: &str = "projects/123456789/locations/global/workloadIdentityPools/aws/providers/moorage";
const PULLER: &str = "puller@images-42.iam.gserviceaccount.com";
const ROLE: &str = "arn:aws:iam::111122223333:role/teams/pull";
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "66666666-7777-4888-9999-000000000000";

fn read(login: &Value) -> Result<CloudLogin, String> {
    serde_json::from_value(login.clone()).map_err(|error| error.to_string())
}

fn login(login: Value) -> CloudLogin {
    serde_json::from_value(login).unwrap()
}

fn google() -> CloudLogin {
    login(json!({"type": "google", "provider": PROVIDER, "service_account": PULLER}))
}

fn azure() -> CloudLogin {
    login(json!({"type": "azure", "tenant_id": TENANT, "client_id": CLIENT}))
}

fn own() -> CloudLogin {
    login(json!({"type": "ecr"}))
}

fn safe(authority: &str) -> CloudWay<'_> {
    CloudWay { authority, exposure: None }
}

#[test]
fn what_is_sent_is_given_back() {
    for sent in [
        json!({"type": "ecr"}),
        json!({"type": "ecr", "role_arn": ROLE}),
        json!({"type": "ecr", "role_arn": "arn:aws-us-gov:iam::111122223333:role/pull"}),
        json!({"type": "google", "provider": PROVIDER, "service_account": PULLER}),
        json!({"type": "google", "provider": PROVIDER, "service_account": "p@images.example.com.iam.gserviceaccount.com"}),
        json!({"type": "azure", "tenant_id": TENANT, "client_id": CLIENT}),
    ] {
        let parsed = login(sent.clone());
        assert_eq!(serde_json::to_value(&parsed).unwrap(), sent);
        assert_eq!(parsed.kind(), sent["type"]);
    }
}

#[test]
fn what_can_be_no_login_is_refused() {
    for (sent, why) in [
        (json!({}), "missing field `type`"),
        (json!({"type": "docker"}), "unknown variant `docker`"),
        // Nobody chooses the external id: it is the namespace's.
        (json!({"type": "ecr", "external_id": "moorage:other"}), "unknown field `external_id`"),
        (json!({"type": "ecr", "role_arn": "pull"}), "it must be arn:aws:iam::ACCOUNT:role/NAME"),
        (json!({"type": "ecr", "role_arn": "arn:aws:iam::1111:role/pull"}), "it must be arn"),
        (json!({"type": "ecr", "role_arn": "arn:aws:iam::111122223333:user/pull"}), "it must be arn"),
        (json!({"type": "ecr", "role_arn": format!("{ROLE}*")}), "it must be arn"),
        (json!({"type": "ecr", "role_arn": format!("{ROLE}&Action=x")}), "it must be arn"),
        (json!({"type": "google", "provider": PROVIDER}), "missing field `service_account`"),
        (json!({"type": "google", "provider": "aws", "service_account": PULLER}), "it must be projects/NUMBER"),
        (
            json!({"type": "google", "provider": PROVIDER, "service_account": "p@example.com"}),
            "it must be NAME@PROJECT",
        ),
        (
            json!({"type": "google", "provider": PROVIDER, "service_account": format!("a/../{PULLER}")}),
            "it must be NAME@PROJECT",
        ),
        (json!({"type": "azure", "tenant_id": "common", "client_id": CLIENT}), "UUID parsing failed"),
    ] {
        let said = read(&sent).unwrap_err();
        assert!(said.contains(why), "{sent}: {said}");
    }
}

#[test]
fn a_login_is_for_registries_of_its_cloud() {
    for (login, hosts) in [
        (
            own(),
            &[
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                "123456789012.DKR.ECR.eu-west-1.amazonaws.com:443",
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "123456789012.dkr-ecr.eu-west-1.on.aws",
                "public.ecr.aws",
            ][..],
        ),
        (google(), &["europe-west3-docker.pkg.dev", "us-docker.pkg.dev", "gcr.io", "eu.gcr.io"]),
        (azure(), &["company.azurecr.io", "company-abc123.azurecr.io"]),
    ] {
        let rules = CloudRules {
            grants: CloudGrants::parse(&format!("*={}", login.identity())).unwrap(),
            ..CloudRules::default()
        };
        for host in hosts {
            assert_eq!(rules.check(&"acme".parse().unwrap(), &login, safe(host)), Ok(()), "{host}");
        }
        for host in [
            "registry.example.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com",
            "123456789012.dkr.ecr.eu-west-1.example.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:8443",
            "123456789012.dkr.ecr.a.example.com/.amazonaws.com",
            "evil.com.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.x.amazonaws.com",
            "123456789012.dkr.ecr.eu-1.amazonaws.com",
            "123456789012.dkr.ecr.eu--1.amazonaws.com",
            "123456789012.dkr.ecr.e-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-.amazonaws.com",
            "123456789012.dkr.ecr.eu-west.amazonaws.com",
            "123456789012.dkr.ecr.eu-w3st-1.amazonaws.com",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "public.ecr.aws.example.com",
            "docker.pkg.dev",
            "-docker.pkg.dev",
            "a.b-docker.pkg.dev",
            "evilgcr.io",
            "azurecr.io",
            ".azurecr.io",
            "a.b.azurecr.io",
            "company.azurecr.io.example.com",
            "company.azurecr.io:5000",
            "localhost:5000",
        ] {
            let refused = rules.check(&"acme".parse().unwrap(), &login, safe(host));
            assert!(matches!(refused, Err(CloudRefusal::OtherRegistry { .. })), "{login:?} {host}");
        }
    }
}

#[test]
fn nobody_is_anybody_without_a_grant() {
    let grants = |text: &str| CloudGrants::parse(text).unwrap();
    let rules = |text: &str| CloudRules { grants: grants(text), ..CloudRules::default() };
    let ecr = safe("123456789012.dkr.ecr.eu-west-1.amazonaws.com");
    let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
    let role = login(json!({"type": "ecr", "role_arn": ROLE}));
    for (text, login, may) in [
        ("", own(), [false, false]),
        ("acme=ecr", own(), [true, false]),
        ("acme=ecr", role.clone(), [false, false]),
        (&format!("other=ecr, acme={ROLE}"), role.clone(), [true, false]),
        (&format!("*={ROLE}"), role.clone(), [true, true]),
        (&format!("*={ROLE}x"), role, [false, false]),
    ] {
        let found = [&acme, &other].map(|namespace| rules(text).check(namespace, &login, ecr).is_ok());
        assert_eq!(found, may, "{text}");
    }
    let said = rules("other=ecr").check(&acme, &own(), ecr).unwrap_err().to_string();
    assert!(said.contains("acme may not log in as ecr") && said.contains("CloudGrants"), "{said}");
    for (text, login) in [
        (format!("acme={PULLER}"), google()),
        (format!("acme={TENANT}/{CLIENT}").to_uppercase().replacen("ACME", "acme", 1), azure()),
    ] {
        assert!(grants(&text).allow(&acme, &login.identity()), "{text}");
        assert!(!grants(&text).allow(&other, &login.identity()), "{text}");
    }
    for text in ["acme", "acme=", "=ecr", "acme=*", "acme=arn:aws:iam::*:role/x", "a b=ecr", "acme=quay"] {
        assert!(CloudGrants::parse(text).is_err(), "{text}");
    }
}

#[test]
fn nobody_else_can_read_what_is_sent() {
    let rules = CloudRules { grants: CloudGrants::parse("*=ecr").unwrap(), ..CloudRules::default() };
    let (acme, way) = ("acme".parse().unwrap(), safe("123456789012.dkr.ecr.eu-west-1.amazonaws.com"));
    for (exposure, why) in [
        (Exposure::PlainHttp, "https://"),
        (Exposure::UnverifiedTls, "verify_tls"),
        (Exposure::OwnAuthorities, "tls.ca_bundle"),
        (Exposure::OtherRealms, "token_realms"),
    ] {
        let way = CloudWay { exposure: Some(exposure), ..way };
        let said = rules.check(&acme, &own(), way).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    // What stands in for a cloud is the operator's word, and no way round the grants.
    let stand_ins = CloudStandIns::parse("registry=localhost:5000 google=http://localhost:1/").unwrap();
    let way = CloudWay { exposure: Some(Exposure::UnverifiedTls), ..safe("LOCALHOST:5000") };
    let rules = CloudRules { stand_ins, ..rules };
    assert_eq!(rules.check(&acme, &own(), way), Ok(()));
    assert!(rules.check(&acme, &google(), way).is_err());
    assert!(rules.check(&acme, &own(), safe("localhost:5001")).is_err());
    for text in ["localhost", "registries=a", "google=a"] {
        assert!(CloudStandIns::parse(text).is_err(), "{text}");
    }
}

#[test]
fn who_gives_tokens_for_which_registry() {
    for (host, api) in [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "api.ecr.eu-west-1.amazonaws.com"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "ecr-fips.us-east-1.amazonaws.com"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr.eu-west-1.api.aws"),
    ] {
        let registry = EcrRegistry::of(host).unwrap();
        assert_eq!((registry.account, registry.api.as_str()), ("123456789012", api));
    }
    assert_eq!(external_id(&"acme".parse().unwrap()), "moorage:acme");
}

#[test]
fn a_regions_partition_is_in_its_name() {
    for (region, expected) in [
        ("eu-west-1", "aws"),
        ("us-east-1", "aws"),
        ("ap-southeast-2", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
    ] {
        let (middle, end) = (".dkr.ecr.", if expected == "aws-cn" { ".amazonaws.com.cn" } else { ".amazonaws.com" });
        assert_eq!(EcrRegistry::of(&format!("123456789012{middle}{region}{end}")).unwrap().region, region);
        assert_eq!(partition(region), expected, "{region}");
    }
}
