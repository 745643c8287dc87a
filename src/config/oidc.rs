//! Signing in at a provider of OpenID Connect: who that is, and what its groups may do here.

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use url::Url;

use super::{Environment, Mode, is_loopback};
use crate::auth::Role;

const CLIENT_SECRET: &str = "MISSION_CONTROL_OIDC_CLIENT_SECRET";

/// A provider, as it is registered there.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// What its button says.
    pub name: String,
    /// Exactly as the provider writes it.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// How we prove that to it; `None` for a public client, which PKCE alone protects.
    pub client_secret: Option<SecretString>,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// What each group may do here.
    pub roles: Vec<(String, Role)>,
}

/// The settings as they are written; empty: not set.
pub(super) struct OidcSettings<'a> {
    pub(super) name: &'a str,
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) groups_claim: &'a str,
    pub(super) roles: &'a str,
}

impl OidcProvider {
    /// Reads the settings, or says which one is missing, wrong or without effect. `None`: people sign in with a password.
    pub(super) fn read(
        settings: &OidcSettings<'_>,
        environment: &Environment,
        mode: Mode,
    ) -> anyhow::Result<Option<Self>> {
        let client_secret = environment.secret(CLIENT_SECRET);
        if settings.issuer.is_empty() {
            let without_effect = [
                ("MISSION_CONTROL_OIDC_CLIENT_ID", !settings.client_id.is_empty()),
                ("MISSION_CONTROL_OIDC_ROLES", !settings.roles.is_empty()),
                (CLIENT_SECRET, client_secret.is_some()),
            ];
            if let Some((name, _)) = without_effect.into_iter().find(|(_, is_set)| *is_set) {
                bail!(
                    "{name} is set, but MISSION_CONTROL_OIDC_ISSUER is not. Set the provider's issuer, or remove {name}."
                );
            }
            return Ok(None);
        }
        if settings.client_id.is_empty() {
            bail!(
                "MISSION_CONTROL_OIDC_ISSUER is set, but MISSION_CONTROL_OIDC_CLIENT_ID is not. Set what the provider calls this service."
            );
        }
        check_issuer(settings.issuer, mode)?;
        let roles = roles(settings.roles)?;
        if roles.is_empty() {
            bail!(
                "MISSION_CONTROL_OIDC_ISSUER is set, but MISSION_CONTROL_OIDC_ROLES is not, so nobody could sign in there. Set which group has which role, such as `ops=operator,leads=approver`."
            );
        }
        Ok(Some(Self {
            name: settings.name.to_owned(),
            issuer: settings.issuer.to_owned(),
            client_id: settings.client_id.to_owned(),
            client_secret,
            groups_claim: settings.groups_claim.to_owned(),
            roles,
        }))
    }

    /// The highest role that any of these groups has.
    pub(crate) fn role_of<'a>(&self, groups: impl Iterator<Item = &'a str>) -> Option<Role> {
        groups.filter_map(|group| self.roles.iter().find(|(known, _)| known == group)).map(|(_, role)| *role).max()
    }
}

/// What the provider says is believed because TLS says that it is the provider.
fn check_issuer(text: &str, mode: Mode) -> anyhow::Result<()> {
    let url = Url::parse(text).with_context(|| format!("MISSION_CONTROL_OIDC_ISSUER is not a URL: {text}"))?;
    let is_here = is_loopback(&url);
    if url.scheme() != "https" && !(url.scheme() == "http" && is_here && mode == Mode::Sandbox) {
        bail!(
            "MISSION_CONTROL_OIDC_ISSUER is {text}, which is not https. Only in sandbox mode a provider on this machine may be without."
        );
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        bail!("MISSION_CONTROL_OIDC_ISSUER has a query, a fragment or a user. Write it exactly as the provider does.");
    }
    Ok(())
}

fn roles(text: &str) -> anyhow::Result<Vec<(String, Role)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            // A group may hold an equals sign (a distinguished name), a role does not.
            let parsed = pair.rsplit_once('=').and_then(|(group, role)| Some((group.trim(), role.trim().parse().ok()?)));
            match parsed {
                Some((group, role)) if !group.is_empty() => Ok((group.to_owned(), role)),
                _ => bail!(
                    "MISSION_CONTROL_OIDC_ROLES: {pair:?} is not `group=role`. A role is viewer, operator, approver or admin."
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: OidcSettings<'static> = OidcSettings {
        name: "Company",
        issuer: "https://id.example.com/realm",
        client_id: "mission-control",
        groups_claim: "groups",
        roles: "ops=operator, cn=leads=approver",
    };

    fn read(settings: &OidcSettings<'_>, mode: Mode) -> Result<Option<OidcProvider>, String> {
        OidcProvider::read(settings, &Environment::default(), mode).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn nothing_set_is_no_provider_and_half_of_it_is_refused() {
        let none = OidcSettings { issuer: "", client_id: "", roles: "", ..GOOD };
        assert!(read(&none, Mode::Live).expect("valid").is_none());
        assert!(read(&OidcSettings { client_id: "x", ..none }, Mode::Live).is_err_and(|why| why.contains("CLIENT_ID")));
        assert!(read(&OidcSettings { client_id: "", ..GOOD }, Mode::Live).is_err_and(|why| why.contains("CLIENT_ID")));
        assert!(read(&OidcSettings { roles: " , ", ..GOOD }, Mode::Live).is_err_and(|why| why.contains("OIDC_ROLES")));
        assert!(
            read(&OidcSettings { roles: "ops=owner", ..GOOD }, Mode::Live).is_err_and(|why| why.contains("ops=owner"))
        );
    }

    #[test]
    fn the_provider_is_reached_by_https_alone() {
        let with = |issuer, mode| read(&OidcSettings { issuer, ..GOOD }, mode);
        for issuer in [
            "http://id.example.com",
            "ftp://127.0.0.1",
            "id.example.com",
            "https://a:b@id.example.com",
            "https://id.example.com/?a=b",
        ] {
            assert!(with(issuer, Mode::Sandbox).is_err(), "{issuer}");
        }
        assert!(with("http://127.0.0.1:4000", Mode::Live).is_err());
        assert!(with("http://127.0.0.1:4000", Mode::Sandbox).is_ok());
    }

    #[test]
    fn of_several_groups_the_highest_counts() {
        let provider = read(&GOOD, Mode::Live).expect("valid").expect("a provider");
        assert_eq!(provider.role_of(["ops", "cn=leads"].into_iter()), Some(Role::Approver));
        assert_eq!(provider.role_of(["ops", "others"].into_iter()), Some(Role::Operator));
        assert_eq!(provider.role_of(["OPS", "leads"].into_iter()), None, "as the provider writes them");
    }
}
