//! One exec channel: closed on drop, counted, and fed while it is read.

use std::sync::Arc;

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use tokio::sync::OwnedSemaphorePermit;

/// An exec channel. Dropped, it is closed: the remote side finds its pipes gone.
pub(super) struct Channel {
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    /// sshd's `MaxSessions` is 10 by default; the permit is our place among them.
    permit: Option<OwnedSemaphorePermit>,
}

impl Channel {
    pub fn new(channel: russh::Channel<Msg>, permit: OwnedSemaphorePermit) -> Self {
        let (read, write) = channel.split();
        Self { read, write: Arc::new(write), permit: Some(permit) }
    }

    /// Starts the command. Whether it could be started comes back as a message.
    pub async fn exec(&self, command: &str) -> Result<(), russh::Error> {
        self.write.exec(true, command).await
    }

    /// Lends the end that reads.
    pub fn read(&mut self) -> &mut ChannelReadHalf {
        &mut self.read
    }

    /// Shares the end that writes.
    pub fn writer(&self) -> Arc<ChannelWriteHalf<Msg>> {
        Arc::clone(&self.write)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let (write, permit) = (Arc::clone(&self.write), self.permit.take());
        // Outside a runtime everything is coming down anyway, the connection included.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = write.close().await;
                drop(permit);
            });
        }
    }
}

/// How a remote command ended, as far as it is known yet.
#[derive(Debug, Default)]
pub(super) struct End {
    status: Option<i32>,
    refused: bool,
}

impl End {
    /// Notes what a message says about the end.
    pub fn note(&mut self, message: &ChannelMsg) {
        match message {
            ChannelMsg::ExitStatus { exit_status } => self.status = i32::try_from(*exit_status).ok(),
            ChannelMsg::ExitSignal { signal_name, .. } => self.status = Some(128 + number(signal_name)),
            ChannelMsg::Failure => self.refused = true,
            _ => {}
        }
    }

    /// Tells whether sshd would not even start the command.
    pub fn refused(&self) -> bool {
        self.refused
    }

    /// Returns the status. Without one the command did not end: the connection did.
    pub fn status(&self) -> Option<i32> {
        self.status
    }
}

/// The numbers of the signals SSH has names for.
fn number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 127,
    }
}
