use proptest::prelude::*;

use super::*;

fn titled(title: &str) -> StreamDetails {
    StreamDetails { title: title.into(), ..StreamDetails::default() }
}

fn wrong_fields(details: StreamDetails) -> Vec<String> {
    details.checked().unwrap_err().into_iter().map(|wrong| wrong.field).collect()
}

#[test]
fn a_title_is_enough() {
    let details: StreamDetails = serde_json::from_str(r#"{"title":"  Morning   show "}"#).unwrap();
    let details = details.checked().unwrap();
    assert_eq!(details.title, "Morning   show");
    assert!(details.chat && details.reactions);
    assert_eq!(details.reconnect_timeout_s, 30);
}

#[test]
fn limits_count_characters_and_are_reached_exactly() {
    let at_limit = StreamDetails {
        title: "ü".repeat(StreamDetails::MAX_TITLE_CHARS),
        description: "本".repeat(StreamDetails::MAX_DESCRIPTION_CHARS),
        category: "c".repeat(StreamDetails::MAX_TAG_CHARS),
        tags: (0..StreamDetails::MAX_TAGS).map(|n| format!("{n:0>50}")).collect(),
        starts_at_s: Some(StreamDetails::MAX_STARTS_AT_S),
        reconnect_timeout_s: StreamDetails::MAX_RECONNECT_TIMEOUT_S,
        ..StreamDetails::default()
    };
    assert_eq!(at_limit.clone().checked().unwrap(), at_limit);
    let beyond = StreamDetails {
        title: format!("{}x", at_limit.title),
        description: format!("{}x", at_limit.description),
        category: format!("{}x", at_limit.category),
        tags: [at_limit.tags, vec!["one more".into()]].concat(),
        image: Some("javascript:alert(1)".into()),
        starts_at_s: Some(StreamDetails::MAX_STARTS_AT_S + 1),
        reconnect_timeout_s: StreamDetails::MAX_RECONNECT_TIMEOUT_S + 1,
        ..StreamDetails::default()
    };
    let all = ["title", "description", "category", "tags", "image", "starts_at_s", "reconnect_timeout_s"];
    assert_eq!(wrong_fields(beyond), all, "all that is wrong is said at once");
}

#[test]
fn titles_of_nothing_are_empty() {
    for nothing in ["", "   ", "\u{202e}\u{200f}", "\u{202e} \u{202e}", "\n\t"] {
        assert_eq!(wrong_fields(titled(nothing)), ["title"], "{nothing:?}");
    }
}

#[test]
fn tags_lose_their_sign_and_their_doubles() {
    let details = StreamDetails { tags: vec!["#rust".into(), "rust".into(), " live ".into()], ..titled("a") };
    assert_eq!(details.checked().unwrap().tags, ["rust", "live"]);
    let details = StreamDetails { tags: vec!["a".into(), "#".into(), "x".repeat(51)], ..titled("a") };
    assert_eq!(wrong_fields(details), ["tags[1]", "tags[2]"]);
}

#[test]
fn a_change_keeps_what_it_does_not_name_and_null_removes() {
    let before = StreamDetails { image: Some("https://a.example/b.png".into()), starts_at_s: Some(5), ..titled("a") };
    let change = |json: &str| serde_json::from_str::<ChangeStream>(json).unwrap().applied_to(before.clone());
    assert_eq!(change("{}").unwrap(), before);
    let after = change(r#"{"title":"b","image":null}"#).unwrap();
    assert_eq!(after, StreamDetails { title: "b".into(), image: None, ..before.clone() });
    assert_eq!(change(r#"{"title":""}"#).unwrap_err().first().unwrap().field, "title");
}

#[test]
fn unknown_fields_are_mistakes() {
    assert!(serde_json::from_str::<StreamDetails>(r#"{"titel":"a"}"#).is_err());
    assert!(serde_json::from_str::<ChangeStream>(r#"{"owner":"me"}"#).is_err());
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let access = StreamAccess {
        key: "sky_live_secret".into(),
        rtmp_url: "rtmp://a/live".into(),
        srt_url: "srt://a?streamid=sky_live_secret".into(),
        playlist_url: String::new(),
        page_url: String::new(),
    };
    assert!(!format!("{access:?}").contains("secret"));
}

/// What hides, turns, towers and ends lines, in any order.
const NASTY: &str = "[a#é \u{a0}\n\t\u{200f}\u{202e}\u{301}\u{feff}\u{0}]{0,60}";

proptest! {
    /// Whatever strangers write, what is kept of it is within the limits, and stays the same when it is sent again.
    #[test]
    fn what_is_kept_can_be_sent_again(
        title in NASTY,
        description in "(?s).{0,510}",
        tags in prop::collection::vec(NASTY, 0..4),
    ) {
        let body = serde_json::json!({"title": title, "description": description, "category": title, "tags": tags});
        fuzz_body(body.to_string().as_bytes());
    }
}
