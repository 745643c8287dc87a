//! Twilio's webhook signature against vectors that both official SDKs agree on.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mission_control::twilio::signature::{Body, SharedKey, Signed, SignedBy, sign, verify};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
struct Recorded {
    vectors: Vec<Vector>,
    negative: Vec<Negative>,
    negative_json: Vec<NegativeJson>,
    sha256_vectors: Vec<Sha256Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    #[serde(deserialize_with = "secret")]
    auth_token: SecretString,
    signed_url: String,
    params: Vec<(String, String)>,
    json_body: Option<String>,
    form_body: Option<String>,
    checks: Vec<Check>,
    signature: String,
}

#[derive(Deserialize)]
struct Check {
    case: String,
    url: String,
    python_sdk_accepts: bool,
    node_sdk_accepts: bool,
}

#[derive(Deserialize)]
struct Negative {
    name: String,
    #[serde(deserialize_with = "secret")]
    auth_token: SecretString,
    url: String,
    params: Vec<(String, String)>,
    signature: String,
    python_sdk_accepts: bool,
}

#[derive(Deserialize)]
struct NegativeJson {
    name: String,
    #[serde(deserialize_with = "secret")]
    auth_token: SecretString,
    url: String,
    json_body: String,
    signature: String,
    python_sdk_accepts: bool,
}

#[derive(Deserialize)]
struct Sha256Vector {
    #[serde(deserialize_with = "secret")]
    secret: SecretString,
    signed_url: String,
    params: Vec<(String, String)>,
    signature: String,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../data/signature_vectors.json")).expect("the vectors are readable")
}

fn vector(name: &str) -> Vector {
    recorded().vectors.into_iter().find(|vector| vector.name == name).expect("the vector exists")
}

impl Vector {
    fn body(&self) -> Body<'_> {
        match &self.json_body {
            Some(json) => Body::Json(json.as_bytes()),
            None => Body::Form(&self.params),
        }
    }

    fn accepts(&self, url: &str, signature: &str) -> bool {
        let request = Signed { url, signature, settings: None, body: self.body() };
        verify(&request, &[&self.auth_token], &[]).is_some()
    }
}

/// The one vector that both SDKs accept and we refuse on purpose: Twilio never signs `user:password@`, so a signature over
/// it was not made by Twilio.
const USERINFO: &str = "userinfo_kept_wrong";

#[test]
fn every_vector_is_decided_as_the_official_sdks_decide_it() {
    let mut checked = 0;
    for vector in recorded().vectors {
        for check in &vector.checks {
            assert_eq!(
                check.python_sdk_accepts, check.node_sdk_accepts,
                "the SDKs disagree on {} {}",
                vector.name, check.case
            );
            let expected = check.python_sdk_accepts && vector.name != USERINFO;
            assert_eq!(vector.accepts(&check.url, &vector.signature), expected, "{} {}", vector.name, check.case);
            checked += 1;
        }
    }
    assert!(checked >= 18, "only {checked} checks were found");
}

#[test]
fn a_form_is_signed_as_twilio_signs_it() {
    for vector in recorded().vectors.iter().filter(|vector| vector.json_body.is_none() && vector.name != USERINFO) {
        assert_eq!(
            sign(&vector.signed_url, &vector.params, &vector.auth_token).as_ref(),
            Some(&vector.signature),
            "{}",
            vector.name
        );
    }
}

#[test]
fn the_decoded_wire_form_is_what_is_signed() {
    for vector in recorded().vectors {
        let Some(form) = &vector.form_body else {
            continue;
        };
        let decoded = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect::<Vec<_>>();
        assert_eq!(decoded, vector.params, "{}", vector.name);
    }
}

#[test]
fn the_order_in_which_parameters_arrive_does_not_matter() {
    for mut vector in recorded().vectors {
        vector.params.reverse();
        let expected = vector.name != USERINFO;
        assert_eq!(vector.accepts(&vector.signed_url, &vector.signature), expected, "{}", vector.name);
    }
}

#[test]
fn user_information_and_fragment_are_never_part_of_the_signed_url() {
    let vector = vector("sms_status_https_8443_kept");
    let dressed = "https://user:pass@sms.example.com:8443/twilio/status#rc=3&rp=5xx,ct,rt";
    assert_eq!(sign(dressed, &vector.params, &vector.auth_token).as_ref(), Some(&vector.signature));
    assert!(vector.accepts(dressed, &vector.signature));
    let with_userinfo = self::vector(USERINFO);
    assert!(!with_userinfo.accepts(&with_userinfo.signed_url, &with_userinfo.signature));
}

#[test]
fn the_colons_of_an_ipv6_address_are_not_a_port() {
    let token = SecretString::from("12345");
    for (configured, signed) in [
        ("http://[::1]:3000/cb", "http://[::1]:3000/cb"),
        ("https://[::1]:8443/cb", "https://[::1]/cb"),
        ("http://[::1]/cb", "http://[::1]:80/cb"),
    ] {
        let signature = sign(signed, &[], &token).expect("a URL");
        let request = Signed { url: configured, signature: &signature, settings: None, body: Body::None };
        assert!(verify(&request, &[&token], &[]).is_some(), "{configured} signed as {signed}");
    }
}

#[test]
fn every_forged_form_is_refused() {
    for case in recorded().negative {
        let request =
            Signed { url: &case.url, signature: &case.signature, settings: None, body: Body::Form(&case.params) };
        assert_eq!(verify(&request, &[&case.auth_token], &[]).is_some(), case.python_sdk_accepts, "{}", case.name);
    }
}

#[test]
fn every_forged_json_body_is_refused() {
    for case in recorded().negative_json {
        let body = Body::Json(case.json_body.as_bytes());
        let request = Signed { url: &case.url, signature: &case.signature, settings: None, body };
        assert_eq!(verify(&request, &[&case.auth_token], &[]).is_some(), case.python_sdk_accepts, "{}", case.name);
    }
}

#[test]
fn a_json_hash_must_be_there_once_and_in_lower_case() {
    let token = SecretString::from("12345");
    let lower = "https://mycompany.com/cb?bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let upper = "https://mycompany.com/cb?bodySHA256=44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A";
    let twice = format!("{lower}&bodySHA256=00");
    for (url, valid) in [(lower, true), (upper, false), (&twice, false), ("https://mycompany.com/cb", false)] {
        // Each URL is properly signed: it is the hash alone that decides.
        let signature = sign(url, &[], &token).expect("a URL");
        let request = Signed { url, signature: &signature, settings: None, body: Body::Json(b"{}") };
        assert_eq!(verify(&request, &[&token], &[]).is_some(), valid, "{url}");
    }
}

#[test]
fn a_changed_request_is_refused() {
    let original = vector("status_callback_query");
    let url = &original.signed_url;
    let signature = &original.signature;
    assert!(original.accepts(url, signature));
    for other in [
        url.replace("https://", "http://"),
        url.replace("sms.example.com", "SMS.example.com"),
        format!("{url}/"),
        url.replace("tenant=7", "tenant=8"),
    ] {
        assert!(!original.accepts(&other, signature), "{other}");
    }
    let trimmed = vector("newlines_and_crlf");
    let mut params = trimmed.params.clone();
    params[0].1 = params[0].1.replace("\r\n", "\n");
    let request =
        Signed { url: &trimmed.signed_url, signature: &trimmed.signature, settings: None, body: Body::Form(&params) };
    assert!(verify(&request, &[&trimmed.auth_token], &[]).is_none());
}

#[test]
fn only_strict_standard_base64_is_a_signature() {
    let vector = vector("docs_example");
    let signature = &vector.signature;
    for altered in [
        String::new(),
        signature.to_lowercase(),
        format!("{signature} "),
        format!(" {signature}"),
        signature.trim_end_matches('=').to_owned(),
        signature.replace('+', "-").replace('/', "_"),
        format!("{signature}{signature}"),
        STANDARD.encode([0; 20]),
        STANDARD.encode(&STANDARD.decode(signature).expect("base64")[..10]),
    ] {
        assert!(!vector.accepts(&vector.signed_url, &altered), "{altered:?} was accepted");
    }
}

#[test]
fn the_verdict_says_which_auth_token_signed() {
    let vector = vector("docs_example");
    let other = SecretString::from("other");
    let request = Signed { url: &vector.signed_url, signature: &vector.signature, settings: None, body: vector.body() };
    assert_eq!(verify(&request, &[&other, &vector.auth_token], &[]), Some(SignedBy::AuthToken(1)));
    assert_eq!(verify(&request, &[&vector.auth_token, &other], &[]), Some(SignedBy::AuthToken(0)));
    assert_eq!(verify(&request, &[&other], &[]), None);
    assert_eq!(verify(&request, &[], &[]), None);
}

#[test]
fn a_shared_key_counts_only_where_it_is_configured() {
    for case in recorded().sha256_vectors {
        let keys = [
            SharedKey { id: "webhooks_sharedkey_0".to_owned(), secret: SecretString::from("another") },
            SharedKey { id: "webhooks_sharedkey_1".to_owned(), secret: case.secret.clone() },
        ];
        let decide = |settings: Option<&str>, keys: &[SharedKey]| {
            let request =
                Signed { url: &case.signed_url, signature: &case.signature, settings, body: Body::Form(&case.params) };
            // The auth token has the same value as the shared key: a fall-back to it would show.
            verify(&request, &[&case.secret], keys)
        };
        let right = Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256");
        assert_eq!(decide(right, &keys), Some(SignedBy::SharedKey(1)));
        assert_eq!(decide(right, &[]), None);
        for wrong in [
            None,
            Some("key=webhooks_sharedkey_0,algorithm=HMAC_SHA256"),
            Some("key=webhooks_sharedkey_2,algorithm=HMAC_SHA256"),
            Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA512"),
            Some("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1"),
            Some("key=webhooks_sharedkey_1"),
            Some("algorithm=HMAC_SHA256"),
            Some("key=webhooks_sharedkey_0,key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"),
        ] {
            assert_eq!(decide(wrong, &keys), None, "{wrong:?}");
        }
    }
}

#[test]
fn naming_a_shared_key_does_not_fall_back_to_the_auth_token() {
    let vector = vector("docs_example");
    let decide = |settings: &str| {
        let request = Signed {
            url: &vector.signed_url,
            signature: &vector.signature,
            settings: Some(settings),
            body: vector.body(),
        };
        verify(&request, &[&vector.auth_token], &[])
    };
    assert_eq!(decide("key=k,algorithm=HMAC_SHA1"), None);
    assert_eq!(decide("nonsense"), None);
    // An empty header says nothing, as in Twilio's own SDK.
    assert_eq!(decide(""), Some(SignedBy::AuthToken(0)));
}

#[test]
fn an_empty_key_signs_nothing() {
    let empty = SecretString::from("");
    // HMAC-SHA1 of the URL under the empty key: what anybody could send to an installation without a token.
    let signature = "AnYSCIwbEGO6Go13MlRiV+uBY6g=";
    assert_eq!(sign("https://example.com/", &[], &empty), None);
    let request = Signed { url: "https://example.com/", signature, settings: None, body: Body::None };
    assert_eq!(verify(&request, &[&empty], &[]), None);
}
