use skylark_protocol::StreamId;

use super::*;
use crate::secret::{KEY_PREFIX, KeyHash};

fn entry(at_ms: i64, message: &str) -> LoggedError {
    LoggedError { at_ms, code: "long-gop".into(), message: message.into() }
}

#[tokio::test]
async fn a_key_is_found_by_what_was_shown_and_is_nowhere_in_the_database() {
    let data = tempfile::tempdir().unwrap();
    let db = Db::open(data.path()).await.unwrap();
    let (stream, key) = db.create_key(NewKey { name: "studio".into(), ..NewKey::default() }).await.unwrap();
    let secret = key.reveal();
    assert!(secret.strip_prefix(KEY_PREFIX).is_some_and(|random| random.len() >= 32), "16 random bytes or more");
    assert!(!format!("{key:?} {:?}", key.hash()).contains(&secret[KEY_PREFIX.len()..]));
    let found = db.find_key(&KeyHash::of(secret)).await.unwrap().expect("the key");
    assert_eq!((found.stream, found.revoked), (stream, false));
    assert_eq!(db.find_key(&KeyHash::of(&secret[..secret.len() - 1])).await.unwrap(), None);
    db.close().await;
    for file in std::fs::read_dir(data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[tokio::test]
async fn a_stream_can_have_several_keys_and_each_is_revoked_by_itself() {
    let db = Db::memory().await.unwrap();
    let (stream, first) = db.create_key(NewKey::default()).await.unwrap();
    let more = NewKey { stream: Some(stream.clone()), ..NewKey::default() };
    let (same, second) = db.create_key(more.clone()).await.unwrap();
    let (_, third) = db.create_key(more).await.unwrap();
    assert_eq!(same, stream);
    let ids: Vec<i64> = db.list_keys().await.unwrap().iter().map(|key| key.id).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(db.revoke(&KeySelector::Hash(second.hash())).await.unwrap(), 1);
    assert_eq!(db.revoke(&KeySelector::Hash(second.hash())).await.unwrap(), 0, "it was already");
    assert_eq!(db.revoked_among(&ids).await.unwrap(), [ids[1]]);
    assert_eq!(db.revoked_among(&[]).await.unwrap(), [] as [i64; 0]);
    assert_eq!(db.revoke(&KeySelector::Id(ids[0])).await.unwrap(), 1);
    assert!(db.find_key(&first.hash()).await.unwrap().unwrap().revoked);
    assert!(!db.find_key(&third.hash()).await.unwrap().unwrap().revoked);
    assert_eq!(db.revoke(&KeySelector::Stream(stream)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_key_for_a_stream_that_does_not_exist_is_not_made() {
    let db = Db::memory().await.unwrap();
    let nowhere: StreamId = "abcdefghijkl".parse().unwrap();
    let error = db.create_key(NewKey { stream: Some(nowhere), ..NewKey::default() }).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no stream abcdefghijkl");
    assert!(db.list_keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn streams_can_be_followed_from_another_connection() {
    let data = tempfile::tempdir().unwrap();
    let server = Db::open(data.path()).await.unwrap();
    let command_line = Db::open(data.path()).await.unwrap();
    let (first, _) = command_line.create_key(NewKey::default()).await.unwrap();
    let found = server.streams(&StreamCursor::default(), 10).await.unwrap();
    assert_eq!(found.iter().filter_map(|found| found.id.clone()).collect::<Vec<_>>(), [first]);
    let now = StreamCursor { created_at_ms: found[0].created_at_ms, id: None };
    let (second, _) = command_line.create_key(NewKey::default()).await.unwrap();
    let found = server.streams(&now, 10).await.unwrap();
    assert!(found.iter().any(|found| found.id.as_ref() == Some(&second)));
}

#[tokio::test]
async fn an_error_log_keeps_the_newest_and_forgets_the_old() {
    let db = Db::memory().await.unwrap();
    let (stream, _) = db.create_key(NewKey::default()).await.unwrap();
    let (other, _) = db.create_key(NewKey::default()).await.unwrap();
    let now = now_ms();
    db.log_error(&other, &entry(now, "another's")).await.unwrap();
    for number in 0..errors::MAX_PER_STREAM + 5 {
        db.log_error(&stream, &entry(now, &number.to_string())).await.unwrap();
    }
    let log = db.errors(&stream).await.unwrap();
    assert_eq!(log.len() as i64, errors::MAX_PER_STREAM);
    assert_eq!((log[0].message.as_str(), log[199].message.as_str()), ("204", "5"), "newest first");
    assert_eq!(db.errors(&other).await.unwrap(), [entry(now, "another's")]);
    db.log_error(&other, &entry(now - errors::RETENTION_MS - 1, "old")).await.unwrap();
    assert_eq!(db.errors(&other).await.unwrap(), [entry(now, "another's")]);
    assert_eq!(db.prune_errors().await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_why() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(FILE_NAME);
    std::fs::write(&path, "not a database, but long enough to have a header ".repeat(20)).unwrap();
    let error = Db::open(data.path()).await.unwrap_err().to_string();
    assert!(error.contains("skylark.db") && error.contains("not a SQLite database"), "{error}");

    std::fs::remove_file(&path).unwrap();
    let db = Db::open(data.path()).await.unwrap();
    db.create_key(NewKey::default()).await.unwrap();
    db.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = Db::open(data.path()).await.unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}
