//! What a shell on the machine can do.

use mission_control::auth::Role;
use mission_control::auth::commands::{
    AddUser, CreateToken, DisableUser, InviteUser, ResetPassword, RevokeToken, TokenCommand, Tools, UserCommand, token,
    user,
};

use super::service::{PASSWORD, Service};

async fn user_command(service: &Service, command: UserCommand, input: &str) -> Result<String, String> {
    let (app, mut output) = (&service.app, Vec::new());
    let tools = Tools { db: &app.db, clock: &app.clock, passwords: &app.passwords, public_url: &app.public_url };
    let done = user(tools, command, input.as_bytes(), &mut output).await;
    done.map(|()| String::from_utf8(output).expect("text")).map_err(|error| format!("{error:#}"))
}

async fn token_command(service: &Service, command: TokenCommand) -> Result<String, String> {
    let mut output = Vec::new();
    let done = token(&service.app.db, &service.app.clock, command, &mut output).await;
    done.map(|()| String::from_utf8(output).expect("text")).map_err(|error| format!("{error:#}"))
}

fn add(email: &str, password_stdin: bool) -> UserCommand {
    let email = email.parse().expect("an address");
    UserCommand::Add(AddUser { email, role: Role::Admin, name: None, password_stdin })
}

#[tokio::test]
async fn a_person_is_added_listed_reset_and_disabled() {
    let service = Service::sandbox().await;
    let printed = user_command(&service, add("ada@example.com", false), "").await.expect("added");
    let mut browser = service.browser();
    browser.sign_in("ada@example.com", printed.trim_end()).await;
    assert!(browser.is_signed_in().await);

    let silent = user_command(&service, add("bob@example.com", true), &format!("{PASSWORD}\n")).await;
    assert_eq!(silent.as_deref(), Ok(""), "a password that was brought is not printed");
    service.signed_in("bob@example.com").await;
    assert!(user_command(&service, add("Bob@example.com", false), "").await.expect_err("taken").contains("already"));
    assert!(user_command(&service, add("eve@example.com", true), "short\n").await.expect_err("weak").contains("12"));

    let command = ResetPassword { email: "ada@example.com".parse().expect("an address"), password_stdin: false };
    let again = user_command(&service, UserCommand::ResetPassword(command), "").await.expect("reset");
    assert!(!browser.is_signed_in().await);
    browser.sign_in("ada@example.com", again.trim_end()).await;
    assert!(browser.is_signed_in().await);

    let command = DisableUser { email: "ada@example.com".parse().expect("an address") };
    let said = user_command(&service, UserCommand::Disable(command), "").await.expect("disabled");
    assert_eq!(said, "ada@example.com is disabled\n");
    let listed = user_command(&service, UserCommand::List, "").await.expect("a list");
    let states: Vec<bool> = listed.lines().map(|line| line.contains("disabled")).collect();
    assert_eq!(states, [true, false], "{listed}");
}

#[tokio::test]
async fn an_invitation_is_printed_alone_and_only_once() {
    let service = Service::sandbox().await;
    let email = "otto@example.com".parse().expect("an address");
    let command = InviteUser { email, name: "Otto".to_owned(), role: Role::Operator };
    let printed = user_command(&service, UserCommand::Invite(command), "").await.expect("invited");
    let link = printed.strip_suffix('\n').expect("one line");
    let path = link.strip_prefix("http://127.0.0.1:3000").expect("our address");
    assert!(path.starts_with("/welcome/") && path.len() == "/welcome/".len() + 43, "{link}");
    let listed = user_command(&service, UserCommand::List, "").await.expect("a list");
    assert!(listed.contains("invited") && !listed.contains(path), "{listed}");
    let mut browser = service.browser();
    let fields = [("new_password", PASSWORD), ("new_password_again", PASSWORD)];
    assert_eq!(browser.post(path, &fields).await.header("location"), Some("/dashboard/operations"));
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn a_token_is_printed_alone_and_only_once() {
    let service = Service::sandbox().await;
    service.add("ada@example.com", Role::Operator).await;
    let wanted = |email: &str| {
        let (user, scopes) = (email.parse().expect("an address"), vec!["operations:read".parse().expect("a scope")]);
        TokenCommand::Create(CreateToken { user, scopes, name: "ci".to_owned(), expires_in_days: Some(30) })
    };
    let printed = token_command(&service, wanted("ada@example.com")).await.expect("a token");
    let text = printed.strip_suffix('\n').expect("one line");
    assert!(text.starts_with("mc_") && text.len() == 46, "{text}");
    assert_eq!(service.ask("/api/who", text).await.body, "ada@example.com operator token ci");
    assert!(token_command(&service, wanted("nobody@example.com")).await.is_err());

    let listed = token_command(&service, TokenCommand::List).await.expect("a list");
    assert!(!listed.contains(&text[..20]) && listed.contains("operations:read"), "{listed}");
    let id = listed.split(' ').next().expect("an id").parse().expect("an id");
    token_command(&service, TokenCommand::Revoke(RevokeToken { id })).await.expect("revoked");
    assert!(token_command(&service, TokenCommand::List).await.expect("a list").contains("revoked"));
}
