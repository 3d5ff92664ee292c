use super::*;
use crate::event::{Signature, tests::event};

fn key(digits: &str) -> PublicKey {
    digits.repeat(32).parse().unwrap()
}

fn id(digits: &str) -> EventId {
    digits.repeat(32).parse().unwrap()
}

fn stream() -> Address {
    Address::live_event(key("0a"), "demo")
}

fn rules(change: impl FnOnce(&mut ChatSettings)) -> ChatRules {
    let mut settings = ChatSettings::new("demo");
    change(&mut settings);
    ChatRules::new(key("0a"), settings, None, [], [])
}

fn judged(rules: &ChatRules, content: &str) -> Result<(), Objection> {
    rules.judge_message(&id("01"), &key("0b"), content, Circumstances { now: 100, ..Circumstances::default() })
}

#[test]
fn settings_survive_the_wire() {
    let settings = ChatSettings {
        identifier: "demo".into(),
        is_chat_on: false,
        are_reactions_on: false,
        are_guests_welcome: false,
        is_followers_only: true,
        is_emotes_only: true,
        slow_s: 30,
        words: ["rude".to_owned()].into(),
        moderators: [key("0c")].into(),
        banned: [key("0d")].into(),
        removed: vec![id("02"), id("01")],
    };
    let signed = settings.unsigned(key("0a"), 5, &stream()).with_signature(Signature::from_bytes([1; 64]));
    assert_eq!(Address::of(&signed), Some(ChatSettings::address(key("0a"), "demo")));
    assert_eq!(ChatSettings::read(&signed), Ok(settings));
}

#[test]
fn settings_with_odd_tags_are_read_as_far_as_they_go() {
    let tags: &[&[&str]] = &[
        &["d", "skylark:demo"],
        &["slow", "99999"],
        &["mode", "EMOTES"],
        &["mode", "unknown"],
        &["chat", "maybe"],
        &["p", "junk", "", "banned"],
        &["p", &"0b".repeat(32)],
        &["e", "junk"],
        &["word", "  "],
        &[],
    ];
    let read = ChatSettings::read(&event(30_078, tags, "{}")).unwrap();
    let wanted = ChatSettings { slow_s: ChatSettings::MAX_SLOW_S, is_emotes_only: true, ..ChatSettings::new("demo") };
    assert_eq!(read, wanted);
    assert_eq!(ChatSettings::read(&event(30_078, &[&["d", "another-program"]], "")), Err(ReadError::Tag("d")));
}

#[test]
fn bans_come_from_the_host_and_named_moderators_alone() {
    let (host, moderator, stranger) = (key("0a"), key("0c"), key("0d"));
    let ban =
        |who: PublicKey| ChatSettings { banned: [who].into(), removed: vec![id("09")], ..ChatSettings::new("demo") };
    let mut settings = ban(key("01"));
    settings.moderators.insert(moderator);
    let mute_list = MuteList { pubkeys: [key("02")].into(), words: ["spam".to_owned()].into() };
    let theirs = [(moderator, ban(key("03"))), (stranger, ban(key("04"))), (key("0e"), ban(key("05")))];
    let rules = ChatRules::new(host, settings, Some(mute_list), [key("0e")], theirs);
    let banned: Vec<_> = rules.banned().copied().collect();
    assert_eq!(banned, [key("01"), key("02"), key("03"), key("05")]);
    assert!(rules.keeps_order(&host) && rules.keeps_order(&moderator) && !rules.keeps_order(&stranger));
    assert_eq!(judged(&rules, "SPAM!"), Err(Objection::Word));
    assert_eq!(rules.judge(&id("09"), &key("0b")), Err(Objection::Removed));
}

#[test]
fn a_moderator_cannot_ban_the_host() {
    let settings = ChatSettings { moderators: [key("0c")].into(), ..ChatSettings::new("demo") };
    let theirs = ChatSettings { banned: [key("0a"), key("0c")].into(), ..ChatSettings::new("demo") };
    let rules = ChatRules::new(key("0a"), settings, None, [], [(key("0c"), theirs)]);
    assert!(!rules.is_banned(&key("0a")) && !rules.is_banned(&key("0c")));
}

#[test]
fn modes_bind_everybody_but_those_who_keep_order() {
    let off = rules(|settings| settings.is_chat_on = false);
    assert_eq!(judged(&off, "hi"), Err(Objection::ChatOff));
    assert_eq!(off.judge_message(&id("01"), &key("0a"), "hi", Circumstances::default()), Ok(()));
    let emotes = rules(|settings| settings.is_emotes_only = true);
    for (content, fits) in
        [("🔥🔥 ❤️ 👨‍👩‍👧 🇩🇪", true), (":wave: :a::b:", true), ("hi 🔥", false), ("::", false), ("1", false)]
    {
        assert_eq!(judged(&emotes, content).is_ok(), fits, "{content}");
    }
    let followers = rules(|settings| settings.is_followers_only = true);
    assert_eq!(judged(&followers, "hi"), Err(Objection::FollowersOnly));
    let follower = Circumstances { is_follower: true, ..Circumstances::default() };
    assert_eq!(followers.judge_message(&id("01"), &key("0b"), "hi", follower), Ok(()));
    let quiet = rules(|settings| settings.are_reactions_on = false);
    assert_eq!(quiet.judge_reaction(&id("01"), &key("0b")), Err(Objection::ReactionsOff));
}

#[test]
fn messages_are_paced() {
    let after = |rules: &ChatRules, last| {
        let circumstances = Circumstances { last_message_at: Some(last), now: 100, is_follower: false };
        rules.judge_message(&id("01"), &key("0b"), "hi", circumstances)
    };
    let (normal, slow) = (rules(|_| {}), rules(|settings| settings.slow_s = 30));
    assert_eq!(after(&normal, 100), Err(Objection::TooSoon { wait_s: 1 }));
    assert_eq!(after(&normal, 99), Ok(()));
    assert_eq!(after(&slow, 80), Err(Objection::TooSoon { wait_s: 10 }));
    assert_eq!(after(&slow, 70), Ok(()));
}

#[test]
fn length_is_counted_in_characters() {
    let rules = rules(|_| {});
    assert_eq!(judged(&rules, &"夜".repeat(500)), Ok(()));
    assert_eq!(judged(&rules, &"夜".repeat(501)), Err(Objection::TooLong));
    assert_eq!(judged(&rules, &"x".repeat(1_000_000)), Err(Objection::TooLong));
    assert_eq!(judged(&rules, " \n"), Err(Objection::Empty));
}

#[test]
fn words_count_as_a_whole() {
    let rules = rules(|settings| settings.words = ["ass".to_owned(), "зло".to_owned()].into());
    for (content, fits) in [("a class", true), ("ASS", false), ("you ass!", false), ("Зло.", false), ("", false)] {
        assert_eq!(judged(&rules, content).is_ok(), fits, "{content}");
    }
}

#[test]
fn muting_keeps_everything_else_of_the_list() {
    let newest = event(10_000, &[&["p", &"0b".repeat(32)], &["t", "politics"], &["word", "Spam"]], "encrypted?iv=x");
    let sign = |unsigned: UnsignedEvent| unsigned.with_signature(Signature::from_bytes([1; 64]));
    let more = sign(MuteList::edited(key("0a"), 7, Some(&newest), &key("0c"), true));
    assert_eq!(more.content, "encrypted?iv=x");
    let read = MuteList::read(&more).unwrap();
    assert_eq!(read.pubkeys, [key("0b"), key("0c")].into());
    assert!(read.words.contains("spam") && more.tags.contains(&vec!["t".into(), "politics".into()]));
    let less = sign(MuteList::edited(key("0a"), 8, Some(&more), &key("0b"), false));
    assert_eq!(MuteList::read(&less).unwrap().pubkeys, [key("0c")].into());
    let same = MuteList::edited(key("0a"), 9, Some(&less), &key("0c"), true);
    assert_eq!(same.tags, less.tags, "nobody is muted twice");
}

#[test]
fn deletions_hold_for_ones_own_only() {
    let (own, other) = (format!("30311:{}:d", "0a".repeat(32)), format!("30311:{}:d", "0b".repeat(32)));
    let tags: &[&[&str]] = &[&["e", &"01".repeat(32)], &["e", "junk"], &["a", &own], &["a", &other], &["k", "30311"]];
    let deletion = Deletion::read(&event(5, tags, "")).unwrap();
    assert_eq!(deletion.events, [id("01")]);
    assert_eq!(deletion.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), [own]);
}

#[test]
fn reports_say_whom_what_and_why() {
    let (person, message) = ("0b".repeat(32), "01".repeat(32));
    let report = Report::read(&event(1984, &[&["e", &message, "illegal"], &["p", &person]], "look")).unwrap();
    assert_eq!((report.reported, report.event, report.category.as_str()), (key("0b"), Some(id("01")), "illegal"));
    let report = Report::read(&event(1984, &[&["p", &person, "Impersonation"]], "")).unwrap();
    assert_eq!((report.event, report.category.as_str()), (None, "impersonation"));
    let report = Report::read(&event(1984, &[&["p", &person, "made up"]], "")).unwrap();
    assert_eq!(report.category, "other");
    assert!(Report::read(&event(1984, &[&["e", &message, "spam"]], "")).is_err());
}
