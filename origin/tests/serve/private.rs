//! Private streams: only those watch whom the host has let in.

use nostr::JsonUtil as _;
use serde_json::{Value, json};
use skylark_media::package::validate::MediaPlaylist;

use crate::{
    owned::{get, open_stage},
    owner::Owner,
    relay_client::{RelayClient, event},
    stage::{Encoder, Stage},
};

/// A private stream that is live, and its host.
struct Private<'a> {
    stage: &'a Stage,
    host: Owner<'a>,
    id: String,
    encoder: Encoder,
}

impl<'a> Private<'a> {
    async fn start(stage: &'a Stage) -> Self {
        let host = Owner::new(stage, 1);
        let details = json!({"title": "Just us", "private": true});
        let (status, made) = host.ask("POST", "/api/v1/streams/create", details).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["stream"]["details"]["private"], true);
        let id = made["stream"]["id"].as_str().unwrap().to_owned();
        let encoder = stage.encode(made["access"]["key"].as_str().unwrap()).await;
        assert_eq!(host.ask("POST", &format!("/api/v1/streams/{id}/start"), Value::Null).await.0, 200);
        Self { stage, host, id, encoder }
    }

    fn api(&self, rest: &str) -> String {
        format!("/api/v1/streams/{}{rest}", self.id)
    }

    async fn let_in(&self, guest: &Owner<'_>) {
        let path = self.api(&format!("/guests/{}", guest.pubkey()));
        assert_eq!(self.host.ask("PUT", &path, Value::Null).await.0, 204);
    }

    async fn show_out(&self, guest: &Owner<'_>) {
        let path = self.api(&format!("/guests/{}", guest.pubkey()));
        assert_eq!(self.host.ask("DELETE", &path, Value::Null).await.0, 204);
    }

    /// Path of the multivariant playlist for `viewer`.
    async fn ticket(&self, viewer: &Owner<'_>) -> String {
        let (status, ticket) = viewer.ask("POST", &self.api("/ticket"), Value::Null).await;
        assert_eq!(status, 200, "{ticket}");
        assert_eq!(ticket["stream"]["details"]["title"], "Just us");
        ticket["playlist"].as_str().unwrap().to_owned()
    }

    /// Path and text of the only rendition's playlist.
    async fn rendition(&self, multivariant: &str) -> (String, String) {
        let answer = self.stage.get(multivariant).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.header("cache-control").starts_with("private, "), "{}", answer.header("cache-control"));
        let uri = answer.text().lines().find(|line| !line.starts_with('#')).unwrap().to_owned();
        let path = resolve(multivariant, &uri);
        let answer = self.stage.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("cache-control").starts_with("private, "));
        let text = answer.text().to_owned();
        MediaPlaylist::parse(&text).unwrap_or_else(|wrong| panic!("{wrong} in {text}"));
        (path, text)
    }
}

/// A reference against the path of the playlist that it stands in.
fn resolve(base: &str, reference: &str) -> String {
    let base = url::Url::parse("http://origin.test").unwrap().join(base).unwrap();
    base.join(reference).unwrap().path().to_owned()
}

/// Paths of everything that a playlist names: init segments, segments, parts, the hint last.
fn media(path: &str, text: &str) -> Vec<String> {
    let playlist = MediaPlaylist::parse(text).unwrap();
    let mut found = Vec::new();
    for segment in &playlist.segments {
        found.extend(segment.map.iter().cloned());
        found.extend(segment.uri.iter().cloned());
        found.extend(segment.parts.iter().map(|part| part.uri.clone()));
    }
    found.extend(playlist.hint);
    found.iter().map(|uri| resolve(path, uri)).collect()
}

#[tokio::test]
async fn guests_watch_with_tickets_of_their_own_and_share_the_media() {
    let stage = open_stage().await;
    let mut party = Private::start(&stage).await;
    let (ben, cat, dan) = (Owner::new(&stage, 2), Owner::new(&stage, 3), Owner::new(&stage, 4));
    party.let_in(&ben).await;
    party.let_in(&cat).await;
    for _ in 0..3 {
        party.encoder.segment().await;
    }

    let refused = dan.ask("POST", &party.api("/ticket"), Value::Null).await;
    assert_eq!((refused.0, &refused.1["error"]["code"]), (403, &json!("not-invited")));
    let (bens, cats) = (party.ticket(&ben).await, party.ticket(&cat).await);
    assert_ne!(bens, cats);
    assert!(party.ticket(&party.host).await.ends_with("/index.m3u8"), "the host may watch, too");

    let (path, text) = party.rendition(&bens).await;
    let (_, same) = party.rendition(&cats).await;
    assert_eq!(text, same, "rendered once for all");
    let named = media(&path, &text);
    let (hint, rest) = named.split_last().unwrap();
    assert!(rest.len() > 10, "{rest:?}");
    for file in rest {
        let answer = stage.get(file).await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "a CDN may keep it");
        assert!(!file.contains(bens.split('/').nth(3).unwrap()), "no viewer's ticket is in it");
    }
    // The hinted part is held until it is there.
    let mut client = stage.connect().await;
    client.ask("GET", hint, &[]).await;
    let bytes = party.encoder.part().await;
    assert_eq!(client.answer().await.unwrap().body, bytes);
}

#[tokio::test]
async fn strangers_get_nothing() {
    let stage = open_stage().await;
    let mut party = Private::start(&stage).await;
    party.encoder.segment().await;
    let (path, text) = party.rendition(&party.ticket(&party.host).await).await;
    let media = media(&path, &text);

    let status = get(&stage, &party.api("/status")).await;
    assert_eq!((&status["is_private"], &status["state"]), (&json!(true), &json!("live")), "{status}");
    for kept in ["playlist", "viewers", "health", "broadcast", "started_at_ms"] {
        assert_eq!(status[kept], Value::Null, "{status}");
    }
    assert_eq!(stage.get(&party.api("/calendar")).await.status, 403);
    for path in [party.api(""), party.api("/chat"), party.api("/reactions"), party.api("/viewers")] {
        assert_eq!(stage.get(&path).await.status, 403, "{path}");
        assert_eq!(Owner::new(&stage, 9).ask("GET", &path, Value::Null).await.0, 403, "{path}");
        assert_eq!(party.host.ask("GET", &path, Value::Null).await.0, 200, "{path}");
        let ticket = format!("Bearer {}", party.ticket(&party.host).await.split('/').nth(3).unwrap());
        assert_eq!(stage.connect().await.get(&path, &[("authorization", &ticket)]).await.status, 200, "{path}");
        let forged = ticket.replace("Bearer ", "Bearer A");
        assert_eq!(stage.connect().await.get(&path, &[("authorization", &forged)]).await.status, 403, "{path}");
    }
    let user = format!("/api/v1/streams/user/{}", party.host.pubkey());
    for path in ["/api/v1/streams/live", "/api/v1/streams", "/api/v1/streams?title=just", "/api/v1/discover", &user] {
        assert!(!get(&stage, path).await.to_string().contains(&party.id), "{path}");
    }
    let (_, own) = party.host.ask("GET", &user, Value::Null).await;
    assert_eq!(own["streams"][0]["id"], party.id.as_str(), "its owner sees it");

    // Without a ticket, with one for another stream, with one that was changed.
    let other = Owner::new(&stage, 5);
    let (_, made) = other.ask("POST", "/api/v1/streams/create", json!({"title": "b", "private": true})).await;
    let others = made["stream"]["id"].as_str().unwrap();
    let (_, theirs) = other.ask("POST", &format!("/api/v1/streams/{others}/ticket"), Value::Null).await;
    let theirs = theirs["playlist"].as_str().unwrap().replace(others, &party.id);
    let plain = format!("/live/{}/index.m3u8", party.id);
    for ticket in [plain, theirs, format!("/live/{}/nonsense/index.m3u8", party.id)] {
        assert_eq!(stage.get(&ticket).await.status, 403, "{ticket}");
        let rendition = ticket.replace("index.m3u8", path.split('/').skip(4).collect::<Vec<_>>().join("/").as_str());
        let answer = stage.get(&rendition).await;
        assert_eq!((answer.status, answer.header("cache-control")), (403, "no-store"), "{rendition}");
    }
    for file in media {
        let epoch = file.split('/').nth(3).unwrap();
        for without in [file.replace(&format!("/{epoch}"), ""), file.replace(epoch, "aaaaaaaaaaaaaaaa")] {
            let answer = stage.get(&without).await;
            assert_eq!((answer.status, answer.body.starts_with(b"part")), (404, false), "{without}");
        }
    }
    // A pass does not open what is public, so that no cache can be filled with copies of it.
    let public = stage.path("0.0.m4s").replace(stage.id.as_str(), &format!("{}/pass", stage.id));
    assert_eq!(stage.get(&public).await.status, 404);
}

#[tokio::test]
async fn whoever_is_shown_out_is_out_with_the_next_segment() {
    let stage = open_stage().await;
    let mut party = Private::start(&stage).await;
    let (ben, cat) = (Owner::new(&stage, 2), Owner::new(&stage, 3));
    party.let_in(&ben).await;
    party.let_in(&cat).await;
    party.encoder.segment().await;
    party.encoder.part().await;
    let (bens, cats) = (party.ticket(&ben).await, party.ticket(&cat).await);
    let (path, text) = party.rendition(&bens).await;
    let before = media(&path, &text);

    // A request that waits while he is shown out.
    let playlist = MediaPlaylist::parse(&text).unwrap();
    let msn = playlist.media_sequence + playlist.segments.len() as u64;
    let mut waiting = stage.connect().await;
    waiting.ask("GET", &format!("{path}?_HLS_msn={msn}"), &[]).await;
    party.show_out(&ben).await;
    assert_eq!(stage.get(&bens).await.status, 403);
    assert_eq!(stage.get(&path).await.status, 403);
    assert_eq!(ben.ask("POST", &party.api("/ticket"), Value::Null).await.0, 403);

    let hinted = party.encoder.part().await;
    assert_eq!(stage.get(before.last().unwrap()).await.body, hinted, "the segment that he knows of goes on");
    party.encoder.end_segment().await;
    party.encoder.segment().await;
    let answer = waiting.answer().await.unwrap();
    assert_eq!((answer.status, answer.text().contains("#EXTM3U")), (403, false), "he does not learn of the new epoch");

    let (path, text) = party.rendition(&cats).await;
    let after: Vec<_> = media(&path, &text).into_iter().filter(|file| !before.contains(file)).collect();
    let old = before[0].split('/').nth(3).unwrap();
    let new: Vec<_> = after.iter().filter(|file| !file.contains(old)).collect();
    assert!(new.len() > 3, "{after:?}");
    for file in new {
        let epoch = file.split('/').nth(3).unwrap();
        assert_eq!(stage.get(&file.replace(epoch, old)).await.status, 404, "{file}");
    }
    let named = media(&path, &text);
    for file in named.iter().take(named.len() - 1) {
        assert_eq!(stage.get(file).await.status, 200, "she watches on: {file}");
    }
}

#[tokio::test]
async fn only_the_host_lets_in_and_only_to_private_streams() {
    let stage = open_stage().await;
    let party = Private::start(&stage).await;
    let ben = Owner::new(&stage, 2);
    let guest = party.api(&format!("/guests/{}", ben.pubkey()));
    assert_eq!(ben.ask("PUT", &guest, Value::Null).await.1["error"]["code"], "not-yours");
    assert_eq!(ben.ask("GET", &party.api("/guests"), Value::Null).await.1["error"]["code"], "not-yours");
    party.let_in(&ben).await;
    party.let_in(&ben).await;
    let (_, list) = party.host.ask("GET", &party.api("/guests"), Value::Null).await;
    assert_eq!(list["guests"], json!([ben.pubkey().to_string()]));
    assert_eq!(party.host.ask("DELETE", &party.api("/guests/nobody"), Value::Null).await.0, 422);
    party.show_out(&ben).await;
    assert_eq!(party.host.ask("GET", &party.api("/guests"), Value::Null).await.1["guests"], json!([]));

    let (public, _) = party.host.create("for all").await;
    for (method, rest) in [("PUT", format!("/guests/{}", ben.pubkey())), ("POST", "/ticket".into())] {
        let (status, refused) = party.host.ask(method, &format!("/api/v1/streams/{public}{rest}"), Value::Null).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("not-private")));
    }
}

/// A client of the relay that says who it is.
async fn authenticated(stage: &Stage, keys: &nostr::Keys) -> RelayClient {
    let mut client = RelayClient::connect(stage.addr).await;
    let url = format!("ws://{}/", stage.addr);
    let event = event(keys, 22_242, &[&["relay", &url], &["challenge", &client.challenge]], "");
    client.say(json!(["AUTH", serde_json::from_str::<Value>(&event.as_json()).unwrap()])).await;
    assert_eq!(client.hear().await[2], true);
    client
}

#[tokio::test]
async fn only_guests_read_and_write_the_chat() {
    let stage = open_stage().await;
    let party = Private::start(&stage).await;
    let (ben, dan) = (Owner::new(&stage, 2), Owner::new(&stage, 4));
    party.let_in(&ben).await;
    let address = format!("30311:{}:{}", party.host.pubkey(), party.id);
    let a: &[&str] = &["a", &address, "", "root"];
    let mut host = authenticated(&stage, &party.host.keys).await;
    let live = event(&party.host.keys, 30_311, &[&["d", &party.id], &["status", "live"], &["title", "Just us"]], "");
    host.publish_well(&live).await;
    host.publish_well(&event(&party.host.keys, 1311, &[a], "welcome")).await;
    let filter = json!({"kinds": [1311, 7], "#a": [address]});

    // Who does not say who they are, or is no guest, neither reads nor writes, however they ask.
    let mut nobody = RelayClient::connect(stage.addr).await;
    nobody.say(json!(["REQ", "chat", filter])).await;
    assert!(nobody.hear().await[2].as_str().unwrap().starts_with("auth-required: "));
    let mut stranger = authenticated(&stage, &dan.keys).await;
    stranger.say(json!(["REQ", "chat", filter])).await;
    assert!(stranger.hear().await[2].as_str().unwrap().starts_with("restricted: "));
    for client in [&mut nobody, &mut stranger] {
        assert!(client.subscribe("all", json!({})).await.is_empty());
        client.say(json!(["COUNT", "all", {}])).await;
        assert_eq!(client.hear().await[2]["count"], 0);
        let (taken, why) = client.publish(&event(&dan.keys, 1311, &[a], "let me in")).await;
        assert!(!taken && why.starts_with("restricted: "), "{why}");
    }

    let mut guest = authenticated(&stage, &ben.keys).await;
    assert_eq!(guest.subscribe("chat", filter).await.len(), 1);
    let hello = event(&ben.keys, 1311, &[a], "hello");
    guest.publish_well(&hello).await;
    assert_eq!(guest.hear().await[2]["content"], "hello");
    // A reaction that names nothing but the message belongs to it, too.
    let reaction = event(&party.host.keys, 7, &[&["e", &hello.id.to_hex()]], "+");
    host.publish_well(&reaction).await;
    assert_eq!(host.subscribe("mine", json!({"kinds": [7]})).await, [reaction.id.to_hex()]);
    assert!(stranger.subscribe("reactions", json!({"kinds": [7]})).await.is_empty(), "nothing came meanwhile, either");

    // And so does what names nothing but the reaction.
    host.publish_well(&event(&party.host.keys, 1984, &[&["e", &reaction.id.to_hex(), "spam"]], "odd")).await;
    assert!(stranger.subscribe("reports", json!({"kinds": [1984]})).await.is_empty());

    let path = party.api("/chat");
    let (_, chat) = ben.ask("GET", &path, Value::Null).await;
    assert_eq!(chat.as_array().unwrap().len(), 2, "{chat}");

    party.show_out(&ben).await;
    host.publish_well(&event(&party.host.keys, 1311, &[a], "he is gone")).await;
    assert!(guest.subscribe("again", json!({"kinds": [1311]})).await.is_empty(), "and was not told of it");
    assert!(!guest.publish(&event(&ben.keys, 1311, &[a], "why")).await.0);

    // With the stream goes what was said.
    assert_eq!(party.host.ask("POST", &party.api("/stop"), Value::Null).await.0, 200);
    assert_eq!(party.host.ask("DELETE", &party.api(""), Value::Null).await.0, 204);
    assert!(host.subscribe("after", json!({})).await.is_empty());
    for late in [event(&party.host.keys, 1311, &[a], "too late"), live_again(&party)] {
        let (taken, why) = host.publish(&late).await;
        assert!(!taken && why.starts_with("blocked: "), "what was private does not become public: {why}");
    }
    assert!(nobody.subscribe("after", json!({})).await.is_empty());
}

fn live_again(party: &Private<'_>) -> nostr::Event {
    event(&party.host.keys, 30_311, &[&["d", &party.id], &["status", "ended"], &["title", "Just us"]], "")
}
