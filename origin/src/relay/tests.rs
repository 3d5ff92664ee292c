use nostr::{EventBuilder, Keys, Kind, SecretKey, Tag};

use super::*;

const D: &str = "demo";

/// A relay with one live event, announced by its host.
struct Stage {
    relay: Arc<Relay>,
    db: Db,
    host: Keys,
    _stop: watch::Sender<bool>,
}

fn keys(number: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[number; 32]).unwrap())
}

fn plain_key(keys: &Keys) -> PublicKey {
    PublicKey::from_bytes(keys.public_key().to_bytes())
}

/// An event that is so many seconds younger than now.
fn event(keys: &Keys, kind: u16, tags: &[&[&str]], content: &str, ago_s: u64) -> Event {
    let tags = tags.iter().map(|tag| Tag::parse(tag.iter().copied()).unwrap());
    let at = Timestamp::from_secs(Timestamp::now().as_secs() - ago_s);
    let builder = EventBuilder::new(Kind::from(kind), content).tags(tags).custom_created_at(at);
    builder.allow_self_tagging().sign_with_keys(keys).unwrap()
}

impl Stage {
    async fn with(scope: Scope) -> Self {
        let host = keys(1);
        let config = crate::config::Config::default().relay_config();
        let config = RelayConfig { scope, hosts: [plain_key(&host)].into(), ..config };
        let (stop, stopping) = watch::channel(false);
        let db = Db::memory().await.unwrap();
        let relay = Relay::new(config, db.clone(), stopping);
        let stage = Self { relay, db, host, _stop: stop };
        stage.stored(&stage.live_event(100, "live")).await;
        stage
    }

    async fn new() -> Self {
        Self::with(Scope::Own).await
    }

    fn address(&self) -> String {
        format!("30311:{}:{D}", self.host.public_key())
    }

    fn live_event(&self, ago_s: u64, status: &str) -> Event {
        event(&self.host, 30_311, &[&["d", D], &["status", status]], "", ago_s)
    }

    fn message(&self, author: &Keys, content: &str) -> Event {
        event(author, 1311, &[&["a", &self.address(), "", "root"]], content, 0)
    }

    async fn send(&self, event: &Event) -> Result<Accepted, Rejected> {
        self.relay.take(event.clone(), Source::Client(&BTreeSet::new())).await
    }

    async fn stored(&self, event: &Event) {
        assert_eq!(self.send(event).await, Ok(Accepted::Stored), "{}", event.as_json());
    }

    async fn refused(&self, event: &Event) -> &'static str {
        self.send(event).await.expect_err(&event.as_json()).prefix
    }

    async fn settle(&self, keys: &Keys, tags: &[&[&str]], ago_s: u64) -> Event {
        let (d, address) = (format!("skylark:{D}"), self.address());
        let own: [&[&str]; 2] = [&["d", &d], &["a", &address]];
        let tags: Vec<&[&str]> = own.into_iter().chain(tags.iter().copied()).collect();
        event(keys, 30_078, &tags, "", ago_s)
    }

    async fn ids(&self, filter: Filter) -> Vec<nostr::EventId> {
        self.relay.query(&[filter]).await.unwrap().iter().map(|event| event.id).collect()
    }
}

#[tokio::test]
async fn the_newest_announcement_counts_whatever_the_order() {
    let stage = Stage::new().await;
    let (newer, older) = (stage.live_event(10, "ended"), stage.live_event(50, "live"));
    stage.stored(&newer).await;
    assert_eq!(stage.send(&older).await, Ok(Accepted::Superseded));
    assert_eq!(stage.send(&newer).await, Ok(Accepted::Duplicate));
    assert_eq!(stage.ids(Filter::new().kind(Kind::from(30_311))).await, [newer.id]);
}

#[tokio::test]
async fn of_two_with_one_date_the_lower_id_stays_whichever_came_first() {
    for is_low_first in [true, false] {
        let stage = Stage::new().await;
        let mut pair = [stage.live_event(10, "live"), stage.live_event(10, "ended")];
        let at = pair[0].created_at;
        while pair[1].created_at != at {
            pair = [stage.live_event(10, "live"), stage.live_event(10, "ended")];
        }
        pair.sort_by_key(|event| event.id);
        let [low, high] = &pair;
        let (first, second) = if is_low_first { (low, high) } else { (high, low) };
        stage.stored(first).await;
        _ = stage.send(second).await;
        assert_eq!(stage.ids(Filter::new().kind(Kind::from(30_311))).await, [low.id]);
    }
}

#[tokio::test]
async fn only_what_belongs_to_live_events_is_taken() {
    let stage = Stage::new().await;
    let (viewer, address) = (keys(2), stage.address());
    let foreign = event(&viewer, 30_311, &[&["d", "x"], &["status", "live"]], "", 0);
    assert_eq!(stage.refused(&foreign).await, "restricted");
    assert_eq!(stage.refused(&event(&viewer, 1, &[&["a", &address]], "a note", 0)).await, "blocked");
    let unknown = format!("30311:{}:other", stage.host.public_key());
    assert_eq!(stage.refused(&event(&viewer, 1311, &[&["a", &unknown]], "hi", 0)).await, "blocked");
    assert_eq!(stage.refused(&event(&viewer, 1311, &[], "hi", 0)).await, "blocked");
    assert_eq!(stage.refused(&event(&viewer, 0, &[], "{}", 0)).await, "blocked", "nobody knows them");
    assert_eq!(stage.refused(&event(&viewer, 22_242, &[], "", 0)).await, "invalid");
    let message = stage.message(&viewer, "hi");
    stage.stored(&message).await;
    stage.stored(&event(&viewer, 0, &[], "{}", 0)).await;
    stage.stored(&event(&keys(3), 7, &[&["e", &message.id.to_hex()]], "🔥", 0)).await;
    stage.stored(&event(&keys(3), 1984, &[&["p", &viewer.public_key().to_hex(), "spam"]], "", 0)).await;
    stage.stored(&event(&keys(4), 10_312, &[&["a", &address]], "", 0)).await;
}

#[tokio::test]
async fn an_open_relay_takes_anybodys_live_events_and_nothing_else() {
    let stage = Stage::with(Scope::Live).await;
    let viewer = keys(2);
    stage.stored(&event(&viewer, 30_311, &[&["d", "x"], &["status", "live"]], "", 0)).await;
    assert_eq!(stage.refused(&event(&viewer, 30_311, &[&["status", "live"]], "", 0)).await, "blocked", "no d");
    assert_eq!(stage.refused(&event(&viewer, 1, &[], "a note", 0)).await, "blocked");
}

#[tokio::test]
async fn forged_and_misdated_events_are_refused() {
    let stage = Stage::new().await;
    let viewer = keys(2);
    let good = stage.message(&viewer, "hi");
    let changed = |change: &dyn Fn(&mut Event)| {
        let mut event = good.clone();
        change(&mut event);
        event
    };
    let forged = changed(&|event| event.pubkey = stage.host.public_key());
    assert_eq!(stage.refused(&forged).await, "invalid");
    let other = stage.message(&viewer, "ho");
    let swapped = changed(&|event| event.sig = other.sig);
    assert_eq!(stage.refused(&swapped).await, "invalid");
    let other_content = changed(&|event| event.content = "changed".into());
    assert_eq!(stage.refused(&other_content).await, "invalid");
    let address = stage.address();
    let at = |at: u64| {
        let tag = Tag::parse(["a", address.as_str()]).unwrap();
        let builder = EventBuilder::new(Kind::from(1311), "x").tag(tag).custom_created_at(Timestamp::from_secs(at));
        builder.sign_with_keys(&viewer).unwrap()
    };
    let now = Timestamp::now().as_secs();
    for odd in [now + limits::FUTURE_LIMIT_S + 60, now - limits::PAST_LIMIT_S - 60, 0, u64::MAX >> 1] {
        assert_eq!(stage.refused(&at(odd)).await, "invalid", "{odd}");
    }
    stage.stored(&good).await;
}

#[tokio::test]
async fn giant_events_are_refused() {
    let stage = Stage::new().await;
    let address = stage.address();
    let long = "x".repeat(limits::MAX_TAG_BYTES + 1);
    let many: Vec<[&str; 2]> = vec![["x", "y"]; limits::MAX_TAGS + 1];
    let many: Vec<&[&str]> = many.iter().map(|tag| tag.as_slice()).collect();
    for (tags, content) in [
        (vec![&["a", &address, &long] as &[&str]], "hi".to_owned()),
        (many, "hi".into()),
        (vec![&["a", &address] as &[&str]], "x".repeat(limits::MAX_CONTENT_BYTES + 1)),
        (vec![&["a", &address] as &[&str]], "夜".repeat(501)),
    ] {
        assert_eq!(stage.refused(&event(&keys(2), 1311, &tags, &content, 0)).await, "invalid");
    }
}

#[tokio::test]
async fn expired_and_protected_events() {
    let stage = Stage::new().await;
    let (viewer, address) = (keys(2), stage.address());
    let past = (Timestamp::now().as_secs() - 1).to_string();
    assert_eq!(
        stage.refused(&event(&viewer, 1311, &[&["a", &address], &["expiration", &past]], "x", 0)).await,
        "invalid"
    );
    let soon = (Timestamp::now().as_secs() + 3).to_string();
    let passing = event(&viewer, 1311, &[&["a", &address], &["expiration", &soon]], "x", 0);
    stage.stored(&passing).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !stage.ids(Filter::new().id(passing.id)).await.is_empty() {
        assert!(Instant::now() < deadline, "it is still served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let protected = event(&keys(3), 1311, &[&["a", &address], &["-"]], "x", 0);
    assert_eq!(stage.refused(&protected).await, "auth-required");
    let known = BTreeSet::from([keys(3).public_key()]);
    assert_eq!(stage.relay.take(protected, Source::Client(&known)).await, Ok(Accepted::Stored));
}

#[tokio::test]
async fn people_delete_their_own_and_nobody_elses() {
    let stage = Stage::new().await;
    let (viewer, stranger) = (keys(2), keys(3));
    let message = stage.message(&viewer, "hi");
    stage.stored(&message).await;
    stage.stored(&stage.message(&stranger, "ho")).await;
    let id = message.id.to_hex();
    stage.stored(&event(&stranger, 5, &[&["e", &id], &["a", &stage.address()]], "", 0)).await;
    assert_eq!(stage.ids(Filter::new().id(message.id)).await, [message.id]);
    assert_eq!(stage.ids(Filter::new().kind(Kind::from(30_311))).await.len(), 1);
    let deletion = event(&viewer, 5, &[&["e", &id], &["k", "1311"]], "", 0);
    stage.stored(&deletion).await;
    assert!(stage.ids(Filter::new().id(message.id)).await.is_empty());
    stage.relay.chats.forget_pace();
    assert_eq!(stage.refused(&message).await, "blocked", "it does not come back");
    stage.stored(&event(&viewer, 5, &[&["e", &deletion.id.to_hex()]], "", 0)).await;
    assert_eq!(stage.ids(Filter::new().id(deletion.id)).await, [deletion.id], "a deletion stays");
    assert_eq!(stage.refused(&event(&keys(9), 5, &[&["e", &id]], "", 0)).await, "blocked", "nobody knows them");
}

#[tokio::test]
async fn a_deleted_address_stays_deleted_up_to_its_date() {
    let stage = Stage::new().await;
    stage.stored(&event(&stage.host, 5, &[&["a", &stage.address()]], "", 20)).await;
    assert!(stage.ids(Filter::new().kind(Kind::from(30_311))).await.is_empty());
    assert_eq!(stage.refused(&stage.live_event(50, "live")).await, "blocked");
    stage.stored(&stage.live_event(5, "live")).await;
}

#[tokio::test]
async fn the_host_rules_the_chat() {
    let stage = Stage::new().await;
    let (loud, calm, address) = (keys(2), keys(3), stage.address());
    let first = stage.message(&loud, "first");
    stage.stored(&first).await;
    let (id, banned) = (first.id.to_hex(), loud.public_key().to_hex());
    let settings = stage
        .settle(&stage.host, &[&["e", &id], &["p", &banned, "", "banned"], &["word", "rude"], &["slow", "600"]], 50)
        .await;
    stage.stored(&settings).await;
    assert!(stage.ids(Filter::new().id(first.id)).await.is_empty(), "removed");
    assert_eq!(stage.refused(&first).await, "blocked", "it does not come back");
    assert_eq!(stage.refused(&stage.message(&loud, "again")).await, "blocked");
    assert_eq!(stage.refused(&event(&loud, 7, &[&["a", &address]], "+", 0)).await, "blocked");
    assert_eq!(stage.refused(&stage.message(&calm, "how rude")).await, "blocked");
    stage.stored(&stage.message(&calm, "hello")).await;
    assert_eq!(stage.refused(&stage.message(&calm, "too soon")).await, "rate-limited");
    stage.stored(&stage.settle(&stage.host, &[&["chat", "off"]], 40).await).await;
    assert_eq!(stage.refused(&stage.message(&keys(4), "hello")).await, "blocked");
    stage.stored(&stage.message(&stage.host, "quiet, please")).await;
    let mutes = event(&stage.host, 10_000, &[&["p", &keys(5).public_key().to_hex()]], "", 0);
    stage.stored(&stage.settle(&stage.host, &[], 30).await).await;
    stage.stored(&mutes).await;
    assert_eq!(stage.refused(&stage.message(&keys(5), "hello")).await, "blocked", "muted by the host");
}

#[tokio::test]
async fn moderators_keep_order_and_strangers_do_not() {
    let stage = Stage::new().await;
    let (moderator, loud) = (keys(2), keys(3));
    let message = stage.message(&loud, "hi");
    stage.stored(&message).await;
    let (id, banned) = (message.id.to_hex(), loud.public_key().to_hex());
    let ban: &[&[&str]] = &[&["e", &id], &["p", &banned, "", "banned"]];
    assert_eq!(stage.refused(&stage.settle(&moderator, ban, 10).await).await, "restricted");
    let named = moderator.public_key().to_hex();
    stage.stored(&stage.settle(&stage.host, &[&["p", &named, "", "moderator"]], 50).await).await;
    stage.stored(&stage.settle(&moderator, ban, 5).await).await;
    assert!(stage.ids(Filter::new().id(message.id)).await.is_empty());
    assert_eq!(stage.refused(&stage.message(&loud, "again")).await, "blocked");
    let elsewhere = event(&moderator, 30_078, &[&["d", "some-program"], &["a", &stage.address()]], "", 0);
    assert_eq!(stage.refused(&elsewhere).await, "blocked");
}

#[tokio::test]
async fn rules_hold_however_many_live_events_a_message_names() {
    let stage = Stage::with(Scope::Live).await;
    let (loud, address) = (keys(2), stage.address());
    stage.stored(&event(&loud, 30_311, &[&["d", "own"], &["status", "live"]], "", 0)).await;
    stage.stored(&stage.settle(&stage.host, &[&["p", &loud.public_key().to_hex(), "", "banned"]], 50).await).await;
    let own = format!("30311:{}:own", loud.public_key());
    let named = |own_times: usize| -> Event {
        let mut tags: Vec<&[&str]> = vec![];
        let (own, hidden) = (["a", own.as_str()], ["a", address.as_str()]);
        tags.extend(std::iter::repeat_n(own.as_slice(), own_times));
        tags.push(&hidden);
        event(&loud, 1311, &tags, "where I am banned", 0)
    };
    assert_eq!(stage.refused(&named(0)).await, "blocked");
    assert_eq!(stage.refused(&named(10)).await, "blocked");
    assert_eq!(stage.refused(&named(50)).await, "invalid", "behind many others");
    stage.stored(&event(&loud, 1311, &[&["a", &own]], "at home", 0)).await;
}

#[tokio::test]
async fn followers_are_those_who_say_so() {
    let stage = Stage::new().await;
    let (follower, stranger) = (keys(2), keys(3));
    stage.stored(&stage.message(&follower, "hi")).await;
    stage.stored(&event(&follower, 3, &[&["p", &stage.host.public_key().to_hex()]], "", 0)).await;
    stage.stored(&stage.settle(&stage.host, &[&["mode", "followers"]], 50).await).await;
    assert_eq!(stage.refused(&stage.message(&stranger, "hi")).await, "restricted");
    stage.relay.chats.forget_pace();
    stage.stored(&stage.message(&follower, "hi again")).await;
}

#[tokio::test]
async fn who_publishes_without_end_is_slowed_down() {
    let stage = Stage::new().await;
    let (viewer, address) = (keys(2), stage.address());
    // On a busy machine this takes a while, and the allowance grows meanwhile.
    let mut taken = 0;
    let refused = loop {
        match stage.send(&event(&viewer, 7, &[&["a", &address]], &taken.to_string(), 0)).await {
            Ok(_) => taken += 1,
            Err(rejected) => break rejected,
        }
        assert!(taken < 20 * limits::KEY_BURST, "there is no limit");
    };
    assert_eq!(refused.prefix, "rate-limited");
    assert!(taken >= limits::KEY_BURST, "only {taken} in a burst");
    stage.stored(&stage.message(&keys(3), "others are not")).await;
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let stage = Stage::new().await;
    let (one, two) = (keys(2), keys(3));
    let address = stage.address();
    let at =
        |author: &Keys, content: &str, ago_s| event(author, 1311, &[&["a", &address], &["t", content]], content, ago_s);
    let messages = [at(&one, "a", 30), at(&two, "b", 20), at(&stage.host, "c", 10)];
    for message in &messages {
        stage.relay.publish(message.clone()).await.unwrap();
        stage.relay.chats.forget_pace();
    }
    let chat =
        || Filter::new().kind(Kind::from(1311)).custom_tag(nostr::SingleLetterTag::from_char('a').unwrap(), &address);
    let [a, b, c] = messages.each_ref().map(|message| message.id);
    assert_eq!(stage.ids(chat()).await, [c, b, a], "newest first");
    assert_eq!(stage.ids(chat().limit(2)).await, [c, b]);
    assert_eq!(stage.ids(chat().limit(0)).await, []);
    assert_eq!(stage.ids(chat().author(one.public_key())).await, [a]);
    assert_eq!(stage.ids(chat().since(messages[1].created_at)).await, [c, b]);
    assert_eq!(stage.ids(chat().until(messages[1].created_at)).await, [b, a]);
    assert_eq!(stage.ids(Filter::new().hashtags(["a", "c"])).await, [c, a]);
    assert_eq!(stage.ids(chat().hashtag("b")).await, [b]);
    assert_eq!(stage.ids(Filter::new().ids([a, b])).await, [b, a]);
    assert_eq!(stage.ids(Filter::new().hashtag("'; DROP TABLE events; --")).await, []);
    let both = [chat(), Filter::new().ids([a])];
    assert_eq!(stage.relay.query(&both).await.unwrap().len(), 3, "each once");
    assert_eq!(stage.relay.store.count(&both, &Readable::PUBLIC).await.unwrap(), 3);
    assert_eq!(stage.relay.store.count(&[chat().limit(1)], &Readable::PUBLIC).await.unwrap(), 3);
}

#[tokio::test]
async fn the_oldest_go_first_and_what_can_be_replaced_stays() {
    let stage = Stage::new().await;
    let address = stage.address();
    for ago_s in [50, 40, 30] {
        stage.stored(&event(&keys(2), 7, &[&["a", &address]], "+", ago_s)).await;
    }
    assert_eq!(
        stage.relay.store.clean(Room { max_events: 1, max_bytes: u64::MAX }, &stage.relay.hosts()).await.unwrap(),
        2
    );
    let left = stage.relay.query(&[Filter::new()]).await.unwrap();
    assert_eq!(left.iter().map(|event| event.kind.as_u16()).collect::<Vec<_>>(), [7, 30_311]);
}

#[tokio::test]
async fn what_belongs_to_a_private_stream_goes_nowhere_and_comes_from_nowhere() {
    let stage = Stage::new().await;
    let guest = keys(2);
    let gate = Gate {
        ticket_key: crate::live::gate::TicketKey::generate().unwrap(),
        epoch: crate::live::gate::Epoch::generate().unwrap(),
        host: plain_key(&stage.host),
        guests: [plain_key(&guest)].into(),
    };
    stage.relay.guard(stage.address().parse().unwrap(), gate);
    let outside = "wss://relay.example";
    let tags: [&[&str]; 3] = [&["d", D], &["status", "live"], &["relays", outside]];
    stage.stored(&event(&stage.host, 30_311, &tags, "", 10)).await;
    stage.stored(&stage.message(&guest, "psst")).await;
    assert!(stage.relay.mirrored().await.unwrap().is_empty());
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(stage.db.pool()).await.unwrap();
    assert_eq!(waiting, 0);
    let from_elsewhere = stage.relay.take_mirrored(stage.message(&stage.host, "I am elsewhere")).await;
    assert_eq!(from_elsewhere.unwrap_err().prefix, "blocked");
    assert!(stage.relay.query(&[Filter::new().kind(Kind::from(1311))]).await.unwrap().is_empty());
}
