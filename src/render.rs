//! Templates, filled strictly: a name nobody gave a value is an error, never an empty text.
//!
//! Templates never compute; what they show was decided before.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::LazyLock,
};

use minijinja::{
    AutoEscape, Environment, TemplateSource, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde,
};
use serde::Serialize;

/// Every template by name; a new one is one more line.
const TEMPLATES: &[(&str, &str)] = &[
    ("balancer-reload.sh.j2", include_str!("../templates/balancer-reload.sh.j2")),
    ("balancer.service.j2", include_str!("../templates/balancer.service.j2")),
    ("dhcp-hosts.j2", include_str!("../templates/dhcp-hosts.j2")),
    ("dns.service.j2", include_str!("../templates/dns.service.j2")),
    ("dnsmasq.conf.j2", include_str!("../templates/dnsmasq.conf.j2")),
    ("domain.xml.j2", include_str!("../templates/domain.xml.j2")),
    ("firewalld-in.xml.j2", include_str!("../templates/firewalld-in.xml.j2")),
    ("firewalld-out.xml.j2", include_str!("../templates/firewalld-out.xml.j2")),
    ("firewalld-zone.xml.j2", include_str!("../templates/firewalld-zone.xml.j2")),
    ("guests.service.j2", include_str!("../templates/guests.service.j2")),
    ("guests.sh.j2", include_str!("../templates/guests.sh.j2")),
    ("haproxy.cfg.j2", include_str!("../templates/haproxy.cfg.j2")),
    ("hosts.j2", include_str!("../templates/hosts.j2")),
    ("listens.sh.j2", include_str!("../templates/listens.sh.j2")),
    ("nftables.nft.j2", include_str!("../templates/nftables.nft.j2")),
    ("overlay.service.j2", include_str!("../templates/overlay.service.j2")),
    ("overlay.sh.j2", include_str!("../templates/overlay.sh.j2")),
    ("pool.xml.j2", include_str!("../templates/pool.xml.j2")),
    ("volume.xml.j2", include_str!("../templates/volume.xml.j2")),
    ("agent-config.yaml.j2", include_str!("../templates/agent-config.yaml.j2")),
    ("install-config.yaml.j2", include_str!("../templates/install-config.yaml.j2")),
];

/// Why a template could not be filled.
///
/// It carries no value that was to be filled in: one of them may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no template of that name.
    #[error("there is no template {0}")]
    Unknown(String),
    /// It could not be filled.
    #[error("template {template}, line {line}: {reason}")]
    Fill {
        /// The template.
        template: String,
        /// Line of it, from 1; 0 where unknown.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Fills the template `name` with `values`.
///
/// # Errors
/// Where there is no such template, or a value it asks for is missing.
pub fn fill(name: &str, values: impl Serialize) -> Result<String, Error> {
    let template = ENVIRONMENT.get_template(name).map_err(|error| {
        if error.kind() == minijinja::ErrorKind::TemplateNotFound {
            Error::Unknown(name.to_owned())
        } else {
            failure(name, &error)
        }
    })?;
    template.render(Value::from(Serde(values))).map_err(|error| failure(name, &error))
}

/// Returns the names of all templates.
pub fn templates() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name)
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// Name of our escaping: minijinja's own is for HTML and writes `/` as an entity too.
const XML: AutoEscape = AutoEscape::Custom(Cow::Borrowed("xml"));

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .set_auto_escape_callback(|name| if name.ends_with(".xml.j2") { XML } else { AutoEscape::None });
    environment.set_formatter(|out, state, value| {
        if *state.auto_escape() != XML || value.is_safe() {
            return minijinja::escape_formatter(out, state, value);
        }
        if value.is_undefined() {
            return Err(minijinja::ErrorKind::UndefinedError.into());
        }
        Ok(write!(out, "{}", Xml(&value.to_string()))?)
    });
    environment.set_loader(|name| {
        let found = TEMPLATES.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, text)| TemplateSource::new(*text)))
    });
    environment
}

/// Text as XML content or attribute value.
struct Xml<'a>(&'a str);

impl fmt::Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn failure(name: &str, error: &minijinja::Error) -> Error {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Error::Fill {
        template: error.name().unwrap_or(name).to_owned(),
        line: error.line().unwrap_or_default(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(name: &str, text: &str, values: impl Serialize) -> Result<String, Error> {
        let mut environment = environment();
        environment
            .add_template_owned(name.to_owned(), text.to_owned())
            .map_err(|error| failure(name, &error))?;
        let template = environment.get_template(name).map_err(|error| failure(name, &error))?;
        template.render(Value::from(Serde(values))).map_err(|error| failure(name, &error))
    }

    #[test]
    fn every_template_is_one() {
        for name in templates() {
            assert!(ENVIRONMENT.get_template(name).is_ok(), "{name}");
        }
        assert_eq!(fill("nothing.j2", ()), Err(Error::Unknown("nothing.j2".to_owned())));
    }

    #[test]
    fn a_value_nobody_gave_is_an_error_with_its_line() {
        let values = serde_json::json!({ "secret": "hunter2", "node": {} });
        let error = filled("a.conf.j2", "{{ secret }}\n{{ node.mtu }}\n", values).unwrap_err();
        let Error::Fill { template, line, reason } = &error else { panic!("{error}") };
        assert_eq!((template.as_str(), *line), ("a.conf.j2", 2));
        assert!(reason.contains("mtu"), "{reason}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn xml_is_escaped_and_nothing_else() {
        let values = serde_json::json!({ "path": "/a/<b>&'\"", "count": 3 });
        let template = "{{ path }} {{ count }} {{ path | safe }}";
        assert_eq!(
            filled("a.xml.j2", template, &values).unwrap(),
            "/a/&lt;b&gt;&amp;&apos;&quot; 3 /a/<b>&'\""
        );
        assert_eq!(filled("a.conf.j2", "{{ path }}\n", &values).unwrap(), "/a/<b>&'\"\n");
        assert!(filled("a.xml.j2", "{{ nothing }}", &values).is_err());
    }
}
