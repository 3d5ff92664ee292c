//! Viewers who hold a WebSocket open: they hear where the stream stands, and they are counted.

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    owned::{PATIENCE, open_stage, wait_for},
    owner::Owner,
    stage::Stage,
};

struct Viewer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Viewer {
    async fn of(stage: &Stage, id: &str, name: &str) -> Self {
        let url = format!("ws://{}/api/v1/streams/{id}/ws?viewer={name}", stage.addr);
        Self(connect_async(url).await.unwrap().0)
    }

    /// Listens until the status is as wanted.
    async fn hear(&mut self, wanted: impl Fn(&Value) -> bool) {
        let listening = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Text(text) = message
                    && wanted(&serde_json::from_str(text.as_str()).unwrap())
                {
                    return;
                }
            }
            panic!("the server hangs up");
        };
        tokio::time::timeout(PATIENCE, listening).await.expect("what was wanted is never said");
    }
}

#[tokio::test]
async fn viewers_hear_what_happens_and_are_counted_once_each() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let (id, key) = ann.create("a").await;
    let mut viewer = Viewer::of(&stage, &id, "x").await;
    viewer.hear(|status| status["state"] == "offline" && status["viewers"] == 1).await;
    let tab = Viewer::of(&stage, &id, "x").await;
    let nameless = [Viewer::of(&stage, &id, "").await, Viewer::of(&stage, &id, "").await];
    viewer.hear(|status| status["viewers"] == 3).await;
    drop((tab, nameless));
    viewer.hear(|status| status["viewers"] == 1).await;
    let publisher = stage.publish(&key).await.unwrap();
    viewer.hear(|status| status["state"] == "live").await;
    ann.ask("POST", &format!("/api/v1/streams/{id}/start"), Value::Null).await;
    for what in ["pause", "resume"] {
        ann.ask("POST", &format!("/api/v1/streams/{id}/{what}"), Value::Null).await;
        viewer.hear(|status| (status["is_paused"] == true) == (what == "pause")).await;
    }
    drop(publisher);
    viewer.hear(|status| status["state"] == "reconnecting").await;
    let path = format!("/api/v1/streams/{id}/viewers");
    wait_for(&stage, &path, |viewers| viewers["now"] == 1 && viewers["peak"] == 3 && viewers["total"] == 3).await;
    drop(viewer);
    wait_for(&stage, &path, |viewers| viewers["now"] == 0).await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let stage = Stage::start().await;
    let mut viewer = Viewer::of(&stage, stage.id.as_str(), "x").await;
    viewer.hear(|status| status["state"] == "live").await;
    stage.stop();
    let last = tokio::time::timeout(PATIENCE, async {
        loop {
            match viewer.0.next().await {
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    });
    last.await.expect("a close");
}

#[tokio::test]
async fn it_is_for_websockets_to_streams_that_exist() {
    let stage = Stage::start().await;
    assert_eq!(stage.get(&format!("/api/v1/streams/{}/ws", stage.id)).await.status, 426);
    let nowhere = connect_async(format!("ws://{}/api/v1/streams/zzzzzzzzzzzz/ws", stage.addr)).await;
    assert!(nowhere.unwrap_err().to_string().contains("404"));
}
