//! The installer's kubeconfig, as far as a host may say what is in it.
//!
//! A kubeconfig can name programs to run, files to read and proxies to go through, and whoever has
//! the first host writes it. So only certificates and a key are taken out of it, and what is used
//! and written here is put together anew from those and from the inventory.

use std::net::SocketAddr;

use data_encoding::BASE64;
use kube::{Config, client::ConfigExt as _, config::AuthInfo};
use serde_json::{Map, Value};

use crate::{
    cluster::{Cluster, Host},
    install::pem,
    secret::Secret,
    untrusted::shown,
};

/// Largest kubeconfig there is, with room to spare, bytes: the installer's has about 10 000.
pub const LARGEST: usize = 1 << 18;

/// A map of YAML.
type Fields = Map<String, Value>;

/// How deep it nests: `users`, its entries, `user`, its fields.
const DEPTH: usize = 8;

/// What opens the API as its administrator.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// Authorities the API's certificate is of, DER.
    authorities: Vec<Vec<u8>>,
    /// Certificate of the client and those between it and its authority, DER.
    certificates: Vec<Vec<u8>>,
    /// PEM.
    key: Secret,
}

impl Administrator {
    /// Takes the certificates and the key out of the kubeconfig of this cluster's installer.
    ///
    /// # Errors
    /// Says what it holds besides, or what of it is not what it should be; never a value of a secret.
    pub fn read(cluster: &Cluster, text: &[u8]) -> Result<Self, String> {
        let file = parse(text)?;
        let (entry, user) = current(&file)?;
        let [server, authorities] = only(entry, "its cluster", ["server", "certificate-authority-data"])?;
        let [certificates, key] = only(user, "its user", ["client-certificate-data", "client-key-data"])?;
        let own = format!("https://{}:6443", server_name(cluster));
        if server != own {
            return Err(format!("its server is {} and not {own}", brief(server)));
        }
        let this = Self {
            authorities: data("certificate-authority-data", authorities, pem::certificates)?,
            certificates: data("client-certificate-data", certificates, pem::certificates)?,
            key: data("client-key-data", key, pem::private_key)?,
        };
        // It also tells whether key and certificate belong together.
        let config = this.config(cluster).ok_or("the cluster's name is no host's")?;
        config.rustls_client_config().map_err(|error| error.to_string())?;
        Ok(this)
    }

    /// Returns what a client of the API needs; `None` where the cluster's name cannot be a host's.
    #[must_use]
    pub fn config(&self, cluster: &Cluster) -> Option<Config> {
        let mut config = Config::new(format!("https://{}:6443", server_name(cluster)).parse().ok()?);
        config.root_cert = Some(self.authorities.clone());
        config.auth_info = AuthInfo {
            client_certificate_data: Some(BASE64.encode(self.certificate_pem().as_bytes())),
            client_key_data: Some(BASE64.encode(self.key.expose().as_bytes()).into()),
            ..AuthInfo::default()
        };
        Some(config)
    }

    /// Returns a kubeconfig that works without the cluster's names being in any DNS.
    #[must_use]
    pub fn kubeconfig(&self, cluster: &Cluster) -> Secret {
        let name = server_name(cluster);
        // The name in the certificate is checked all the same: only the address is another one.
        let server = match cluster.hosts.iter().find_map(Host::published) {
            Some(public) => format!("https://{}\n    tls-server-name: {name}", SocketAddr::new(public, 6443)),
            None => format!("https://{name}:6443"),
        };
        let encoded = |pem: String| BASE64.encode(pem.as_bytes());
        Secret::new(format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: \"{cluster}\"\n\
             \x20 cluster:\n\
             \x20   server: {server}\n\
             \x20   certificate-authority-data: {authorities}\n\
             contexts:\n\
             - name: admin\n\
             \x20 context:\n\
             \x20   cluster: \"{cluster}\"\n\
             \x20   user: admin\n\
             current-context: admin\n\
             users:\n\
             - name: admin\n\
             \x20 user:\n\
             \x20   client-certificate-data: {certificates}\n\
             \x20   client-key-data: {key}\n",
            cluster = cluster.name,
            authorities = encoded(pem::of_certificates(&self.authorities)),
            certificates = encoded(self.certificate_pem()),
            key = encoded(self.key.expose().to_owned()),
        ))
    }

    fn certificate_pem(&self) -> String {
        pem::of_certificates(&self.certificates)
    }
}

/// Returns the name in the API's certificate.
fn server_name(cluster: &Cluster) -> String {
    format!("api.{}", cluster.domain())
}

/// Reads YAML that is as small and as flat as a kubeconfig is.
fn parse(text: &[u8]) -> Result<Fields, String> {
    if text.len() > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let budget = serde_yaml::budget! { max_depth: DEPTH, max_nodes: 1000, max_anchors: 0, max_aliases: 0 };
    let options = serde_yaml::options! { with_snippet: false, budget: budget };
    // What the reader says may quote a secret.
    let file: Value = serde_yaml::from_str_with_options(text, options)
        .map_err(|_| "it is no YAML, or nests, repeats itself or has aliases")?;
    match file {
        Value::Object(file) => Ok(file),
        _ => Err("it is no map".to_owned()),
    }
}

/// Returns cluster and user of the current context.
fn current(file: &Fields) -> Result<(&Fields, &Fields), String> {
    let name = file.get("current-context").and_then(Value::as_str).unwrap_or_default();
    let context = named(file, "contexts", name, "context")?;
    let of = |key: &str| context.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok((named(file, "clusters", of("cluster"), "cluster")?, named(file, "users", of("user"), "user")?))
}

/// Returns the one entry of a list that has a name.
fn named<'a>(file: &'a Fields, list: &str, name: &str, field: &str) -> Result<&'a Fields, String> {
    let all = file.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut fitting = all.iter().filter(|entry| entry["name"].as_str() == Some(name));
    let (Some(entry), None) = (fitting.next(), fitting.next()) else {
        return Err(format!("its {list} have not one that is called {}", brief(name)));
    };
    entry[field].as_object().ok_or_else(|| format!("{list}: {} has no {field}", brief(name)))
}

/// Returns these fields, which are all there may be.
fn only<'a>(map: &'a Fields, what: &str, fields: [&str; 2]) -> Result<[&'a str; 2], String> {
    let unknown: Vec<_> = map.keys().filter(|key| !fields.contains(&key.as_str())).collect();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().take(5).map(|key| brief(key)).collect();
        return Err(format!(
            "{what} has {}, and the installer writes only {}",
            unknown.join(", "),
            fields.join(" and ")
        ));
    }
    let [first, second] = fields
        .map(|field| map.get(field).and_then(Value::as_str).ok_or_else(|| format!("{what} has no {field}")));
    Ok([first?, second?])
}

/// Reads the PEM in a field.
fn data<T>(field: &str, text: &str, read: fn(&str) -> Result<T, String>) -> Result<T, String> {
    let decoded = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(|| format!("{field} is not PEM in base64"))?;
    read(&decoded).map_err(|reason| format!("{field}: {reason}"))
}

/// Shows the beginning of a text of somebody else's.
fn brief(text: &str) -> String {
    let begin: String = text.chars().take(60).collect();
    format!("`{}`", shown(&begin).replace('\n', " "))
}
