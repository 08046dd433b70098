//! The way to the cluster's own API, from the workstation.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::select_ok;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tower::{BoxError, ServiceBuilder, service_fn};

use crate::{
    bringup::Place,
    cluster::Cluster,
    engine::Fleet,
    host::Session,
    install::{Error, installer},
};

/// Port of the API, on the balancers as on the masters.
const PORT: u16 = 6443;

/// How long a balancer's public address may take to answer before SSH is the way.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest kubeconfig there is, with room to spare, bytes.
const LIMIT: usize = 1 << 20;

/// Returns a client that speaks to the cluster's API as its administrator.
///
/// The kubeconfig is read from the first host and kept in memory. Every connection takes the
/// first way that opens: the balancer on any host's public address, else, as a channel of the SSH
/// session, the balancer on a host's bridge. The name in the certificate is checked all the same:
/// only the address is another one. A connection that opens does not say that the API is up.
///
/// # Errors
/// Returns [`Error::Artefact`] where the installer has left no kubeconfig that can be used.
pub async fn client(fleet: &Fleet, cluster: &Cluster) -> Result<Client, Error> {
    let session = &fleet.members()[0].session;
    let path = format!("{}/auth/kubeconfig", installer::assets(&Place::of(cluster)));
    let unusable = |reason: String| Error::Artefact {
        host: session.name().to_owned(),
        path: path.clone(),
        reason: format!("no kubeconfig to speak to the API with: {reason}"),
    };
    let text = session.read(&path, LIMIT).await?;
    let kubeconfig = Kubeconfig::from_yaml(&String::from_utf8_lossy(&text))
        .map_err(|error| unusable(error.to_string()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(error.to_string()))?;
    let unusable = |error: kube::Error| unusable(error.to_string());
    let ways = Arc::new(Ways::of(fleet, cluster));
    let connector = service_fn(move |_: http::Uri| {
        let ways = Arc::clone(&ways);
        async move { ways.open().await.map(TokioIo::new) }
    });
    let https = config.rustls_https_connector_with_connector(connector).map_err(unusable)?;
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(unusable)?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// The ways to a balancer.
struct Ways {
    public: Vec<SocketAddr>,
    /// Sessions, and the host's address on the bridge.
    bridges: Vec<(Session, String)>,
}

impl Ways {
    fn of(fleet: &Fleet, cluster: &Cluster) -> Self {
        let public = cluster.hosts.iter().filter_map(|host| host.underlay.public);
        let address = |session: &Session| {
            let host = cluster.hosts.iter().find(|host| host.name == session.name())?;
            Some((session.clone(), host.address.to_string()))
        };
        Self {
            public: public.map(|address| SocketAddr::new(address, PORT)).collect(),
            bridges: fleet.members().iter().filter_map(|member| address(&member.session)).collect(),
        }
    }

    /// Opens a connection to a balancer.
    async fn open(&self) -> Result<UnixStream, BoxError> {
        if !self.public.is_empty() {
            let all = self.public.iter().map(|address| Box::pin(TcpStream::connect(*address)));
            if let Ok(Ok((stream, _))) = timeout(PATIENCE, select_ok(all)).await {
                return joined(stream);
            }
        }
        let mut last: BoxError = "there is no host to go through".into();
        for (session, address) in &self.bridges {
            match session.connect_tcp(address, PORT).await {
                Ok(stream) => return joined(stream),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

/// Makes one kind of stream of all: what is read and written at one end of a pair goes through `stream`.
fn joined(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<UnixStream, BoxError> {
    let (near, mut far) = UnixStream::pair()?;
    tokio::spawn(async move {
        // Either side may hang up at any time; the other one then sees the end.
        let _ = copy_bidirectional(&mut stream, &mut far).await;
    });
    Ok(near)
}
