//! Waiting for the cluster's own milestones, through the installer's `wait-for`.

use std::sync::Mutex;

use crate::{
    bringup::Place,
    cluster::{Cluster, Method},
    command::{Script, into_place, quote},
    engine::{Event, Fleet},
    install::{
        Error, installer,
        upi::Approver,
        watch::{self, Board},
    },
    resource::Facts,
};

/// A milestone of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// The control plane runs without the bootstrap.
    Bootstrap,
    /// OpenShift is installed.
    Install,
}

impl Milestone {
    /// Returns the installer's word for it.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap-complete",
            Self::Install => "install-complete",
        }
    }

    /// Tells whether the first host remembers that it was reached.
    #[must_use]
    pub fn is_reached(self, cluster: &Cluster, first: &Facts) -> bool {
        first.files.contains_key(&self.file(&Place::of(cluster)))
    }

    /// Returns the file on the first host that says it is reached.
    #[must_use]
    pub fn file(self, place: &Place) -> String {
        match self {
            Self::Bootstrap => place.milestone("bootstrap"),
            Self::Install => place.milestone("install"),
        }
    }
}

/// Waits for a milestone, unless it was reached before; tells whether it had to wait.
///
/// # Errors
/// Returns [`Error::TimedOut`] where the installer gave up.
pub async fn wait(fleet: &mut Fleet, cluster: &Cluster, milestone: Milestone) -> Result<bool, Error> {
    let place = Place::of(cluster);
    let file = milestone.file(&place);
    let new = format!("{file}.new");
    if milestone.is_reached(cluster, &fleet.members()[0].facts) {
        return Ok(false);
    }
    fleet.lock().await?;
    let assets = installer::assets(&place);
    let wait: &[&str] = match cluster.install.method {
        Method::Upi(_) => &["wait-for"],
        Method::Agent | Method::Iso(_) => &["agent", "wait-for"],
    };
    let arguments = [wait, &[milestone.target(), "--dir", &assets]].concat();
    let run = installer::waiting(&place, &arguments);
    let script = Script::new().line("exec 2>&1").line(installer::stopping(&place)).line(format_args!(
        "{run} && {{ date -u +%FT%TZ > {}; {}; }}",
        quote(&new),
        into_place(&new, &file)
    ));
    let last = Mutex::new(String::new());
    let session = fleet.members()[0].session.clone();
    let waiting = session.watch(&script, |line| {
        let text = message(line);
        if !is_news(&text) {
            return;
        }
        (fleet.sink())(Event::Waiting { text: text.clone() });
        if let Ok(mut last) = last.lock() {
            *last = text;
        }
    });
    let (sink, board) = (fleet.sink(), Board::default());
    let watching = async {
        match milestone {
            // Without a rendezvous node there is only the API to ask.
            Milestone::Bootstrap if !cluster.is_upi() => {
                let hosts = watch::hosts(session.clone(), cluster, sink, &board);
                tokio::join!(hosts, Box::pin(watch::cluster(fleet, cluster, sink, &board))).0
            }
            Milestone::Bootstrap | Milestone::Install => {
                Box::pin(watch::cluster(fleet, cluster, sink, &board)).await
            }
        }
    };
    let approving = async {
        match cluster.install.method {
            Method::Upi(_) => Box::pin(Approver::of(fleet, cluster).work()).await,
            Method::Agent | Method::Iso(_) => std::future::pending().await,
        }
    };
    let output = tokio::select! {
        output = waiting => output?,
        never = watching => match never {},
        never = approving => match never {},
        error = fleet.interrupted() => return Err(error.into()),
    };
    let troubles = board.troubles();
    fleet.touch();
    if output.status == 0 {
        if milestone == Milestone::Install {
            Box::pin(watch::last_look(fleet, cluster, fleet.sink())).await;
        }
        return Ok(true);
    }
    let reason = last.into_inner().unwrap_or_default();
    let hint = format!(
        "on {}: {}/.openshift_install.log; the nodes' consoles: /var/log/libvirt/qemu/{}-*-console.log; \
         `ocp2 gather` collects them; `ocp2 up` waits again",
        session.name(),
        assets,
        cluster.name
    );
    Err(Error::TimedOut { milestone: milestone.target(), reason, troubles, hint })
}

/// Returns the message of one of the installer's log lines.
pub(super) fn message(line: &str) -> String {
    let Some((_, quoted)) = line.split_once(" msg=") else { return line.trim().to_owned() };
    serde_json::from_str(quoted.trim()).unwrap_or_else(|_| quoted.trim().to_owned())
}

/// Tells whether a message of the installer's is worth showing.
fn is_news(text: &str) -> bool {
    // It prints the password when it is done, which stays on the host.
    let is_secret = text.contains("password");
    // Checks are judged by us: half of them fail until the hosts have reported what they are made of.
    let is_check =
        text.starts_with("Cluster validation: ") || text.starts_with("Host ") && text.contains("validation");
    // It tries SSH, which it has no key for, and says this every 30 s however well things are.
    let is_guess = text.starts_with("Cannot access Rendezvous Host");
    !is_secret && !is_check && !is_guess
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the real one said during a healthy installation (tests/recordings).
    const RECORDED: &str =
        include_str!("../../tests/recordings/installer/wait-for-bootstrap-complete-healthy.txt");

    #[test]
    fn of_a_healthy_installation_the_installer_tells_no_alarm() {
        let news: Vec<String> = RECORDED.lines().map(message).filter(|text| is_news(text)).collect();
        assert!(news.iter().any(|text| text == "Cluster installation in progress"), "{news:#?}");
        let alarms = ["fail", "Couldn't", "Error", "Cannot", "No connectivity", "Missing"];
        let alarm = news.iter().find(|text| alarms.iter().any(|word| text.contains(word)));
        assert_eq!(alarm, None);
        assert!(news.len() * 3 < RECORDED.lines().count(), "{} lines", news.len());
        assert!(!is_news("Login to the console with user: \"kubeadmin\", and password: \"x\""));
    }

    #[test]
    fn the_message_of_a_log_line_is_shown() {
        let line = r#"time="2026-01-01T00:00:00Z" level=info msg="Cluster \"ocp\" is not ready""#;
        assert_eq!(message(line), "Cluster \"ocp\" is not ready");
        assert_eq!(message("INFO waiting"), "INFO waiting");
    }
}
