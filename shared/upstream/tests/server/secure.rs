//! Servers that speak TLS with those whom their authority knows, and remember who came.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use moorage_domain::{SecretString, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Reply;

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A certificate with its key.
pub(crate) struct Certified {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let certificate = params.self_signed(&key).unwrap();
        Self { der: certificate.der().clone(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// What a mirror goes by that trusts it.
    pub(crate) fn trusted(&self, client: Option<&Certified>) -> Tls {
        let identity = client.map(|client| SecretString::from(client.pem.clone() + &client.key.serialize_pem()));
        Tls { authorities: Some(self.pem.clone().into()), identity }
    }
}

/// A request: by whom, and for what.
pub(crate) type Asked = (CertificateDer<'static>, String);

/// A running server.
#[derive(Clone)]
pub(crate) struct Secure {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Secure {
    /// Starts one, whose certificate is the authority's, as all have to be that come.
    pub(crate) async fn start(authority: &Authority, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let (provider, own) = (Arc::new(default_provider()), authority.certify("a server"));
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier.build().unwrap());
        let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
        let mut config = config.with_single_cert(vec![own.der], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap().to_string(), asked: Arc::default() };
        let (asked, answer) = (Arc::clone(&server.asked), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (asked, answer, acceptor) = (Arc::clone(&asked), Arc::clone(&answer), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
                    let service = service_fn(move |request: Request<Incoming>| {
                        let path = request.uri().path_and_query().unwrap().to_string();
                        let (status, headers, body) = answer(&path);
                        asked.lock().unwrap().push((shown.clone(), path));
                        let response = Response::builder().status(status);
                        let response =
                            headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
                        async { Ok::<_, Infallible>(response.body(Full::new(bytes::Bytes::from(body))).unwrap()) }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    // A client may go whenever it likes.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        server
    }

    /// Who has asked for what since the last time.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}
