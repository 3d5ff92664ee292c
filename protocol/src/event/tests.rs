use super::*;

/// An event as a stranger would send it; its id is true, its signature is not.
pub(crate) fn event(kind: u16, tags: &[&[&str]], content: &str) -> Event {
    let tags = tags.iter().map(|tag| tag.iter().map(|value| (*value).to_owned()).collect()).collect();
    let pubkey = "0a".repeat(32).parse().unwrap();
    let unsigned = UnsignedEvent { pubkey, created_at: 1_700_000_000, kind, tags, content: content.to_owned() };
    unsigned.with_signature(Signature::from_bytes([1; 64]))
}

fn json(tags: &str, rest: &str) -> String {
    let (id, key, sig) = ("0b".repeat(32), "0a".repeat(32), "0c".repeat(64));
    format!(r#"{{"id":"{id}","pubkey":"{key}","kind":1311,"tags":{tags},"sig":"{sig}"{rest}}}"#)
}

#[test]
fn the_id_is_the_hash_that_every_client_computes() {
    let stream = format!("30311:{}:d", "0a".repeat(32));
    let content = "line\nquote\" back\\ tab\t cr\r bs\u{8} ff\u{c} é 夜 🔥 </script> \u{2028}";
    let event = event(1311, &[&["a", &stream, "", "root"], &[], &[""]], content);
    assert_eq!(event.id.to_string(), "6c74de2c84543b9db5fba5be47a24d69981ac80683bc2948e83250f0326cc374");
    assert!(event.has_true_id());
    assert!(!Event { content: "other".into(), ..event }.has_true_id());
}

#[test]
fn events_survive_the_wire() {
    let event = event(1, &[&["p", "x"], &[]], "\u{0}\u{1f}é");
    let text = serde_json::to_string(&event).unwrap();
    let back: Event = serde_json::from_str(&text).unwrap();
    assert!(back == event && back.has_true_id());
    let unsigned: UnsignedEvent = serde_json::from_str(&text).unwrap();
    assert_eq!(unsigned.id(), event.id);
    assert!(!serde_json::to_string(&unsigned).unwrap().contains("sig"));
}

#[test]
fn odd_json_that_is_an_event_is_read() {
    for (tags, rest) in [
        ("[[]]", r#","created_at":1,"content":"""#),
        ("[[\"p\"],[\"\",\"\"]]", r#","created_at":1,"content":"\u0000""#),
        ("[]", r#","created_at":253402300799,"content":"","extra":{"seen":[1]}"#),
    ] {
        assert!(serde_json::from_str::<Event>(&json(tags, rest)).is_ok(), "{tags} {rest}");
    }
}

#[test]
fn json_that_is_no_event_is_refused_and_nothing_panics() {
    let good = r#","created_at":1,"content":"""#;
    for (tags, rest) in [
        ("[[1]]", good),
        ("[[null]]", good),
        ("[null]", good),
        ("null", good),
        ("[[[]]]", good),
        ("[]", r#","created_at":1"#),
        ("[]", r#","created_at":1.5,"content":"""#),
        ("[]", r#","created_at":-1,"content":"""#),
        ("[]", r#","created_at":1,"content":"\ud83d""#),
        ("[]", r#","created_at":1,"created_at":2,"content":"""#),
        ("[]", r#","kind":1,"created_at":1,"content":"""#),
    ] {
        assert!(serde_json::from_str::<Event>(&json(tags, rest)).is_err(), "{tags} {rest}");
    }
    let valid = json("[]", good);
    assert!(serde_json::from_str::<Event>(&valid).is_ok());
    for (from, to) in [("1311", "70000"), ("1311", "\"1311\""), ("0a0a", "0A0a"), ("0a0a", "0a"), ("0c0c", "zz0c")] {
        assert!(serde_json::from_str::<Event>(&valid.replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn of_two_versions_the_later_counts_and_of_a_tie_the_lower_id() {
    let older = event(30_311, &[&["d", "x"]], "");
    let newer = Event { created_at: older.created_at + 1, ..older.clone() };
    assert!(newer.replaces(&older) && !older.replaces(&newer) && !older.replaces(&older));
    let low = Event { id: EventId::from_bytes([0; 32]), ..older.clone() };
    assert!(low.replaces(&older) && !older.replaces(&low));
}

#[test]
fn updates_are_later_than_what_they_replace_but_not_ahead_of_relays() {
    assert_eq!(update_time(1000, None), Ok(1000));
    assert_eq!(update_time(1000, Some(900)), Ok(1000));
    assert_eq!(update_time(1000, Some(1000)), Ok(1001));
    assert_eq!(update_time(1000, Some(1000 + MAX_AHEAD_S - 1)), Ok(1000 + MAX_AHEAD_S));
    assert_eq!(update_time(1000, Some(1000 + MAX_AHEAD_S)), Err(ClockSkew { ahead_s: MAX_AHEAD_S + 1 }));
    assert!(update_time(1000, Some(u64::MAX)).is_err());
}
