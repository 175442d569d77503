//! Logins at clouds' registries.

use std::sync::Arc;

use aws_types::SdkConfig;
use moorage_domain::{
    Access, CloudLogin, CloudRules, CloudWay, Credentials, Guard, Namespace, cloud::Exposure, mirror::RegistryConfig,
};
use moorage_upstream::Receivers;

use crate::{CloudError, aws::Aws, azure, ecr, google};

/// Who the function is, and who it may be at clouds. Nothing is asked of anybody, and no client made, before a login.
#[derive(Debug, Clone)]
pub struct Clouds(Arc<Known>);

/// What is known of it.
#[derive(Debug)]
struct Known {
    aws: Aws,
    rules: CloudRules,
    guard: Guard,
}

/// What is to be logged in to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registry<'a> {
    authority: &'a str,
    is_plain: bool,
}

impl Clouds {
    /// With the function's own identity, what the deployment allows, and the addresses that other clouds may have.
    pub fn new(config: &SdkConfig, rules: CloudRules, guard: Guard) -> Self {
        Self(Arc::new(Known { aws: Aws::new(config), rules, guard }))
    }

    /// Takes a token for a registry into what lets a mirror through to it: `scheme` is that of the registry's URL, where the
    /// mirror has one. The token is in memory alone, as long as that is.
    pub async fn admit(
        &self,
        (namespace, login): (&Namespace, &CloudLogin),
        (scheme, authority): (Option<&str>, &str),
        config: &RegistryConfig,
        access: &mut Access,
    ) -> Result<(), CloudError> {
        let way = CloudWay {
            authority,
            exposure: (scheme == Some("http")).then_some(Exposure::PlainHttp).or(config.exposure()).or(access
                .tls
                .authorities
                .as_ref()
                .map(|_| Exposure::OwnAuthorities)),
        };
        self.0.rules.check(namespace, login, way)?;
        let is_plain = self.0.rules.stand_ins.has_registry(authority) && !config.verify_tls();
        // Boxed: whoever opens a registry holds a whole sync besides.
        let token = Box::pin(self.token((namespace, login), Registry { authority, is_plain })).await?;
        access.credentials = Some(token);
        Ok(())
    }

    async fn token(
        &self,
        (namespace, login): (&Namespace, &CloudLogin),
        Registry { authority, is_plain }: Registry<'_>,
    ) -> Result<Credentials, CloudError> {
        let servers = Receivers::new(self.0.guard.clone());
        let Known { aws, rules: CloudRules { stand_ins, .. }, .. } = &*self.0;
        match login {
            CloudLogin::Ecr { role_arn } => ecr::login(aws, (namespace, role_arn.as_ref()), authority).await,
            CloudLogin::Google { provider, service_account } => {
                let servers = (&servers, stand_ins.google.as_ref());
                google::login(aws, (provider, service_account), servers).await
            }
            CloudLogin::Azure { tenant_id, client_id } => {
                let (servers, stand_in) = (&servers, stand_ins.microsoft.as_ref());
                let place = azure::Place { authority, servers, stand_in, is_plain };
                azure::login(aws, (*tenant_id, *client_id), place).await
            }
        }
    }
}
