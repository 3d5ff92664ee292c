use super::*;
use crate::event::tests::event;

fn stream() -> String {
    format!("30311:{}:demo", "0b".repeat(32))
}

#[test]
fn messages_with_and_without_marker_are_read() {
    let stream = stream();
    for tags in [&["a", &stream, "", "root"] as &[&str], &["a", &stream, "wss://nos.lol/"], &["a", &stream]] {
        let message = ChatMessage::read(&event(1311, &[tags], "Zaps to live streams is beautiful.")).unwrap();
        assert_eq!(message.stream.to_string(), stream);
        assert_eq!(message.reply_to, None);
    }
}

#[test]
fn junk_addresses_are_passed_over_and_the_root_comes_first() {
    let (stream, other) = (stream(), format!("30311:{}:other", "0c".repeat(32)));
    let article = format!("30023:{}:x", "0c".repeat(32));
    let tags: &[&[&str]] =
        &[&["a", "junk"], &["a"], &["a", &article], &["a", &other, "", "mention"], &["a", &stream, "", "root"]];
    assert_eq!(ChatMessage::read(&event(1311, tags, "x")).unwrap().stream.to_string(), stream);
    assert_eq!(ChatMessage::read(&event(1311, &[&["a", &article]], "x")), Err(ReadError::Tag("a")));
    assert!(ChatMessage::read(&event(1, &[&["a", &stream]], "x")).is_err());
}

#[test]
fn the_parent_is_the_reply_or_else_the_last() {
    let (stream, first, last) = (stream(), "aa".repeat(32), "bb".repeat(32));
    let parent = |tags: &[&[&str]]| {
        let root = ["a", stream.as_str()];
        let tags: Vec<&[&str]> = std::iter::once(root.as_slice()).chain(tags.iter().copied()).collect();
        ChatMessage::read(&event(1311, &tags, "x")).unwrap().reply_to.map(|id| id.to_string())
    };
    assert_eq!(parent(&[&["e", &last, "", "reply"], &["e", &first, "", "root"]]), Some(last.clone()));
    assert_eq!(parent(&[&["e", &first], &["e", &last]]), Some(last));
    assert_eq!(parent(&[&["e", "junk"], &["e"], &["e", &first, "", "mention"]]), None);
}

#[test]
fn a_reply_is_read_back_as_one() {
    let parent = ChatMessage::read(&event(1311, &[&["a", &stream()]], "first")).unwrap();
    let author = "0d".repeat(32).parse().unwrap();
    let reply = ChatMessage::unsigned(author, 5, &parent.stream, "wss://live.example", "second", Some(&parent));
    let reply = ChatMessage::read(&reply.with_signature(crate::event::Signature::from_bytes([1; 64]))).unwrap();
    assert_eq!((reply.reply_to, reply.stream, reply.content.as_str()), (Some(parent.id), parent.stream, "second"));
}

#[test]
fn emoji_need_a_name_and_a_web_url() {
    let tags: &[&[&str]] = &[
        &["a", &stream()],
        &["emoji", ":wave:", "https://a.example/w.gif"],
        &["emoji", "x", "javascript:alert(1)"],
        &["emoji", "y"],
    ];
    let message = ChatMessage::read(&event(1311, tags, "hi :wave:")).unwrap();
    assert_eq!(message.emoji, [Emoji { name: "wave".into(), url: "https://a.example/w.gif".into() }]);
}

#[test]
fn raids_say_from_where_to_where() {
    let (from, to) = (stream(), format!("30311:{}:b", "0c".repeat(32)));
    let read =
        |tags: &[&[&str]]| Raid::read(&event(1312, tags, "")).map(|raid| (raid.from.to_string(), raid.to.to_string()));
    let good = Ok((from.clone(), to.clone()));
    assert_eq!(read(&[&["a", &from, "", "root"], &["a", &to, "", "mention"]]), good);
    assert_eq!(read(&[&["a", &from, "", "from"], &["a", &to, "", "to"]]), good);
    let article = format!("30023:{}:x", "0c".repeat(32));
    for bad in [["reply", "reply"], ["", ""], ["root", "reply"]] {
        assert!(read(&[&["a", &from, "", bad[0]], &["a", &to, "", bad[1]]]).is_err(), "{bad:?}");
    }
    assert!(read(&[&["a", &from, "", "root"], &["a", &article, "", "mention"]]).is_err());
    assert!(read(&[&["a", &from], &["a", &to]]).is_err());
}

#[test]
fn clips_may_lack_their_stream_but_not_their_video() {
    let host = "0b".repeat(32);
    let full = Clip::read(&event(
        1313,
        &[&["a", &stream(), "wss://relay.example"], &["p", &host], &["r", "https://a.example/c.mp4"], &["title", "Ha"]],
        "",
    ))
    .unwrap();
    assert_eq!((full.title.as_str(), full.host), ("Ha", host.parse().ok()));
    let bare = Clip::read(&event(1313, &[&["p", &host], &["r", "https://a.example/c.mp4"]], "")).unwrap();
    assert_eq!((bare.stream, bare.host), (None, host.parse().ok()));
    assert_eq!(Clip::read(&event(1313, &[&["r", "file:///etc/passwd"]], "")), Err(ReadError::Tag("r")));
}
