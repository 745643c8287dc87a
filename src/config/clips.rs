//! Where the audio of calls from text is kept: a folder, or a bucket that speaks S3.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use url::Url;

use super::{Environment, is_loopback};

const ACCESS_KEY_ID: &str = "MISSION_CONTROL_CLIPS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "MISSION_CONTROL_CLIPS_SECRET_ACCESS_KEY";

/// Region of a service that has none of its own: what its clients sign with by convention.
const ANY_REGION: &str = "us-east-1";

/// Where clips are kept.
#[derive(Clone, Debug)]
pub enum ClipStorage {
    /// On this machine.
    Folder(PathBuf),
    /// Shared by several processes on several machines.
    Bucket(Bucket),
}

/// A bucket of Amazon S3, or of a service that speaks like it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the names of our objects begin with; may be empty.
    pub prefix: String,
    /// `None`: Amazon's own, in this region.
    pub endpoint: Option<Url>,
    /// The region that requests are signed for.
    pub region: String,
    /// The key's public half.
    pub access_key_id: SecretString,
    /// The key's secret half.
    pub secret_access_key: SecretString,
}

/// The settings as they are written; empty: not set.
pub(super) struct ClipSettings<'a> {
    pub(super) url: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) region: &'a str,
}

impl ClipStorage {
    /// Reads the settings, or says which one is missing, wrong or without effect.
    pub(super) fn read(
        settings: &ClipSettings<'_>,
        environment: &Environment,
        data_dir: &Path,
    ) -> anyhow::Result<Self> {
        let ClipSettings { url, endpoint, region } = *settings;
        let keys = (environment.secret(ACCESS_KEY_ID), environment.secret(SECRET_ACCESS_KEY));
        if url.is_empty() {
            let without_effect = [
                ("MISSION_CONTROL_CLIPS_ENDPOINT", !endpoint.is_empty()),
                ("MISSION_CONTROL_CLIPS_REGION", !region.is_empty()),
                (ACCESS_KEY_ID, keys.0.is_some()),
                (SECRET_ACCESS_KEY, keys.1.is_some()),
            ];
            if let Some((name, _)) = without_effect.into_iter().find(|(_, is_set)| *is_set) {
                bail!(
                    "{name} is set, but MISSION_CONTROL_CLIPS_URL is not. Set it to s3://bucket/prefix, or remove {name}: without it clips are kept in the data folder."
                );
            }
            return Ok(Self::Folder(data_dir.join("clips")));
        }
        let (name, prefix) = bucket_and_prefix(url)?;
        let (Some(access_key_id), Some(secret_access_key)) = keys else {
            bail!(
                "MISSION_CONTROL_CLIPS_URL is set, but {ACCESS_KEY_ID} or {SECRET_ACCESS_KEY} is not. Set both in the environment: a key that may read, write and delete objects of the bucket."
            );
        };
        let endpoint = read_endpoint(endpoint)?;
        let region = match (region, &endpoint) {
            ("", None) => bail!(
                "MISSION_CONTROL_CLIPS_URL is set, but MISSION_CONTROL_CLIPS_REGION is not. Set the bucket's region, such as eu-central-1, or MISSION_CONTROL_CLIPS_ENDPOINT if it is not at Amazon."
            ),
            ("", Some(_)) => ANY_REGION,
            (region, _) if region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => region,
            (region, _) => bail!("MISSION_CONTROL_CLIPS_REGION is {region:?}. Write a region, such as eu-central-1."),
        };
        let region = region.to_owned();
        Ok(Self::Bucket(Bucket { name, prefix, endpoint, region, access_key_id, secret_access_key }))
    }
}

fn bucket_and_prefix(text: &str) -> anyhow::Result<(String, String)> {
    let refused = || {
        format!(
            "MISSION_CONTROL_CLIPS_URL is {text:?}. Write s3:// and a bucket, and a prefix if you want one, such as s3://my-bucket/mission-control."
        )
    };
    let rest = text.strip_prefix("s3://").with_context(refused)?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let is_name = (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if !is_name || !(prefix.is_empty() || prefix.split('/').all(is_segment)) {
        bail!(refused());
    }
    Ok((name.to_owned(), prefix.to_owned()))
}

/// Clips are what people will hear: they cross a network encrypted, or no network.
fn read_endpoint(text: &str) -> anyhow::Result<Option<Url>> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = "Write its address, such as https://storage.example";
    let Ok(url) = Url::parse(text) else { bail!("MISSION_CONTROL_CLIPS_ENDPOINT is not a URL. {address}.") };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        bail!("MISSION_CONTROL_CLIPS_ENDPOINT has a user, a query or a fragment. {address}.");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            bail!("MISSION_CONTROL_CLIPS_ENDPOINT is {url}, but plain http is for this machine alone. {address}.")
        }
        _ => bail!("MISSION_CONTROL_CLIPS_ENDPOINT is neither http nor https. {address}."),
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};
    use super::*;

    const KEYS: [(&str, &str); 2] = [(ACCESS_KEY_ID, "AKIA1"), (SECRET_ACCESS_KEY, "shh")];

    fn load(variables: &[(&str, &str)]) -> anyhow::Result<ClipStorage> {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.set(name, value);
        }
        Config::load(&environment).map(|config| config.clips)
    }

    fn with_keys(variables: &[(&str, &str)]) -> anyhow::Result<ClipStorage> {
        load(&[&KEYS, variables].concat())
    }

    #[test]
    fn without_settings_clips_are_in_the_data_folder() {
        let storage = load(&[("MISSION_CONTROL_DATA_DIR", "elsewhere")]).expect("valid");
        assert!(matches!(storage, ClipStorage::Folder(folder) if folder == Path::new("elsewhere/clips")));
    }

    #[test]
    fn a_bucket_is_one_at_amazon_or_one_with_an_address() {
        let url = ("MISSION_CONTROL_CLIPS_URL", "s3://my-bucket/a/b/");
        let bucket = |result: anyhow::Result<ClipStorage>| match result.expect("valid") {
            ClipStorage::Bucket(bucket) => bucket,
            ClipStorage::Folder(folder) => panic!("{}", folder.display()),
        };
        let amazon = bucket(with_keys(&[url, ("MISSION_CONTROL_CLIPS_REGION", "eu-central-1")]));
        assert_eq!((amazon.name.as_str(), amazon.prefix.as_str()), ("my-bucket", "a/b"));
        assert_eq!((amazon.endpoint, amazon.region.as_str()), (None, "eu-central-1"));
        let own = bucket(with_keys(&[url, ("MISSION_CONTROL_CLIPS_ENDPOINT", "http://127.0.0.1:9000")]));
        assert_eq!((own.endpoint.is_some(), own.region.as_str()), (true, ANY_REGION));
        assert!(!format!("{own:?}").contains("shh"));
    }

    #[test]
    fn half_of_a_bucket_is_refused_with_the_other_half() {
        let url = ("MISSION_CONTROL_CLIPS_URL", "s3://my-bucket");
        let refusal = |result: anyhow::Result<ClipStorage>| format!("{:#}", result.expect_err("refused"));
        for name in ["MISSION_CONTROL_CLIPS_ENDPOINT", "MISSION_CONTROL_CLIPS_REGION", KEYS[0].0, KEYS[1].0] {
            let told = refusal(load(&[(name, "x")]));
            assert!(told.contains(name) && told.contains("MISSION_CONTROL_CLIPS_URL is not"), "{told}");
        }
        assert!(refusal(load(&[url])).contains(SECRET_ACCESS_KEY));
        assert!(refusal(load(&[url, KEYS[0]])).contains(SECRET_ACCESS_KEY));
        assert!(refusal(with_keys(&[url])).contains("MISSION_CONTROL_CLIPS_REGION"));
        for wrong in ["s3://", "s3://My_Bucket", "https://my-bucket", "s3://my-bucket//a", "s3://my-bucket/../a", "x"] {
            let told = refusal(with_keys(&[("MISSION_CONTROL_CLIPS_URL", wrong)]));
            assert!(told.contains("MISSION_CONTROL_CLIPS_URL") && told.contains("s3://my-bucket"), "{wrong}: {told}");
        }
        for wrong in ["x", "ftp://x", "http://minio.example:9000", "http://10.0.0.1:9000", "https://u:p@minio.example"]
        {
            let told = refusal(with_keys(&[url, ("MISSION_CONTROL_CLIPS_ENDPOINT", wrong)]));
            assert!(told.contains("MISSION_CONTROL_CLIPS_ENDPOINT") && !told.contains("u:p"), "{wrong}: {told}");
        }
        let region = [url, ("MISSION_CONTROL_CLIPS_REGION", "eu central")];
        assert!(refusal(with_keys(&region)).contains("MISSION_CONTROL_CLIPS_REGION"));
    }
}
