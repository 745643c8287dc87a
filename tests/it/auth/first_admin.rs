//! The first person of a new installation.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mission_control::auth::first_admin::{EMAIL, FirstAdmin, ensure};

use super::service::{CHEAP, Service, text};

async fn start(service: &Service) -> FirstAdmin {
    let app = &service.app;
    ensure(&app.db, &app.clock, &app.passwords, &app.config.data_dir).await.expect("an answer")
}

fn file(service: &Service) -> PathBuf {
    service.app.config.data_dir.join("initial-admin-password")
}

#[tokio::test]
async fn of_two_that_start_at_once_one_makes_the_admin_and_the_file_is_right() {
    let service = Service::sandbox().await;
    let other = service.replica(CHEAP);
    let found = tokio::join!(start(&service), start(&other));
    let password = match found {
        (FirstAdmin::Made { password, .. }, FirstAdmin::Waiting { .. })
        | (FirstAdmin::Waiting { .. }, FirstAdmin::Made { password, .. }) => password,
        other => panic!("{other:?}"),
    };
    let file = file(&service);
    let written = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(written.trim_end(), text(&password));
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);

    let mut browser = service.browser();
    assert!(browser.get("/login").await.body.contains("initial-admin-password"));
    browser.sign_in(EMAIL, "some other words").await;
    assert!(file.exists(), "only signing in removes it");
    browser.sign_in(EMAIL, written.trim_end()).await;
    assert_eq!(browser.get("/api/who").await.body, "admin@localhost admin session");
    assert!(!file.exists());
    assert!(!service.browser().get("/login").await.body.contains("initial-admin-password"));
    assert!(matches!(start(&service).await, FirstAdmin::NotNeeded));
}

#[tokio::test]
async fn whoever_lost_the_file_is_told_the_way_out() {
    let service = Service::sandbox().await;
    assert!(matches!(start(&service).await, FirstAdmin::Made { .. }));
    std::fs::remove_file(file(&service)).expect("the file");
    let found = start(&service).await;
    assert!(matches!(found, FirstAdmin::PasswordLost), "{found:?}");
    assert!(found.sentence().expect("a sentence").contains("user reset-password --email admin@localhost"));
}

#[tokio::test]
async fn what_a_killed_start_left_behind_is_in_nobodys_way() {
    let service = Service::sandbox().await;
    std::fs::write(file(&service), "of a start that never committed").expect("a file");
    std::fs::write(file(&service).with_extension("new"), "half").expect("a file");
    let FirstAdmin::Made { password, .. } = start(&service).await else { panic!("not made") };
    let mut browser = service.browser();
    browser.sign_in(EMAIL, &text(&password)).await;
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn the_data_folder_is_made_for_its_owner_alone() {
    let service = Service::sandbox().await;
    let (app, folder) = (&service.app, service.app.config.data_dir.join("not/yet"));
    ensure(&app.db, &app.clock, &app.passwords, &folder).await.expect("an answer");
    assert_eq!(std::fs::metadata(&folder).expect("the folder").permissions().mode() & 0o777, 0o700);
    assert!(folder.join("initial-admin-password").exists());
}
