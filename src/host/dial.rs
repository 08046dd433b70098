//! The stream a connection runs over: TCP, or a program's pipes.

use std::{io, net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::configuration::{Configuration, Family};

/// Opens the TCP connection; every address the name has gets its chance.
pub(super) async fn dial(configuration: &Configuration) -> Result<TcpStream, String> {
    let limit = configuration.connect_timeout;
    let name = (configuration.hostname.as_str(), configuration.port);
    let found = match timeout(limit, tokio::net::lookup_host(name)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("the name does not resolve: {error}")),
        Err(_) => return Err(format!("the name does not resolve within {} s", limit.as_secs())),
    };
    let mut reason = String::from("it has no address of the family AddressFamily asks for");
    for address in found.filter(|address| wanted(configuration.family, address)) {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Ok(Err(error)) => reason = error.to_string(),
            Err(_) => reason = format!("no answer within {} s", limit.as_secs()),
        }
    }
    Err(reason)
}

fn wanted(family: Family, address: &SocketAddr) -> bool {
    match family {
        Family::Any => true,
        Family::Inet => address.is_ipv4(),
        Family::Inet6 => address.is_ipv6(),
    }
}

/// Small packets at once, and a peer that stops acknowledging is noticed while we write.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(40)))?;
    socket.set_keepalive(true)
}

/// Runs `ProxyCommand`; its stdin and stdout are the connection.
pub(super) fn proxy_command(
    command: &str,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let mut child = tokio::process::Command::new("/bin/sh")
        .args(["-c", &format!("exec {command}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the proxy command has no pipes"));
    };
    // The child ends when its pipes close; until then somebody has to wait for it.
    tokio::spawn(async move { child.wait().await });
    Ok(tokio::io::join(output, input))
}
