//! The way to the cluster's own API, from the workstation.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::select_ok;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client,
    client::{Body, ConfigExt},
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
    install::{
        Error, first_host, installer,
        kubeconfig::{self, Administrator},
    },
};

/// Port of the API, on the balancers as on the masters.
const PORT: u16 = 6443;

/// How long a balancer's public address may take to answer before SSH is the way.
const PATIENCE: Duration = Duration::from_secs(3);

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
    let (path, administrator) = administrator(fleet, cluster).await?;
    let unusable = |reason: String| Error::Artefact {
        host: cluster.hosts[0].name.clone(),
        path: path.clone(),
        reason: format!("no kubeconfig to speak to the API with: {reason}"),
    };
    let config =
        administrator.config(cluster).ok_or_else(|| unusable("the cluster has no name".to_owned()))?;
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

/// Reads what the installer has left on the first host; returns where it is, too.
///
/// # Errors
/// Returns [`Error::Artefact`] where it is not there, or not only what the installer writes.
pub(super) async fn administrator(
    fleet: &Fleet,
    cluster: &Cluster,
) -> Result<(String, Administrator), Error> {
    let path = format!("{}/auth/kubeconfig", installer::assets(&Place::of(cluster)));
    let session = first_host::session(fleet, cluster, &path)?;
    let text = session.read(&path, kubeconfig::LARGEST).await?;
    match Administrator::read(cluster, &text) {
        Ok(administrator) => Ok((path, administrator)),
        Err(reason) => Err(Error::Artefact {
            host: session.name().to_owned(),
            reason: format!(
                "this is not the kubeconfig that the installer has written, and it is not used: {reason}"
            ),
            path,
        }),
    }
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
