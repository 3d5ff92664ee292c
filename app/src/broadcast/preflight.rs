//! What is looked at before going live.

use futures_util::future::BoxFuture;
use reqwest::Method;
use skylark_protocol::{
    api::StreamPage,
    event::PublicKey,
    mirror::{LinkState, OutsideRelays},
    studio::{Check, CheckOutcome, Preflight, Problem},
};
use std::time::Duration;

use super::relay::Relay;
use crate::origin::{About, ApiError, Client};

/// Everything that is looked at, in the order in which it is shown.
const CHECKS: [(&str, &str); 9] = [
    ("identity", "Identity"),
    ("origin", "Origin"),
    ("upload", "Upload"),
    ("clock", "Clock"),
    ("relays", "Relays"),
    ("encoder", "Encoder"),
    ("picture", "Picture"),
    ("microphone", "Microphone"),
    ("disk", "Disk"),
];
/// Those that are looked at on this machine, by whoever knows.
const HERE: [&str; 4] = ["encoder", "picture", "microphone", "disk"];
/// Above this, clients and relays may think that what is said here is old or of tomorrow, seconds.
const CLOCK_DOUBTFUL_S: u64 = 5;
/// Above this, the origin takes no signed request, seconds.
const CLOCK_BAD_S: u64 = 60;
/// Of what is to be sent, a link should carry so much, percent: pictures differ in size.
const UPLOAD_GOOD_PERCENT: u64 = 150;
/// Time for a question.
const PATIENCE: Duration = Duration::from_secs(5);

use CheckOutcome::{Bad, Doubtful, Good, Running};

type Found = (CheckOutcome, String);

/// All of them, not looked at yet.
pub(super) fn blank() -> Preflight {
    let check = |(code, title): (&str, &str)| Check {
        code: code.into(),
        title: title.into(),
        outcome: Running,
        message: String::new(),
    };
    Preflight { checks: CHECKS.into_iter().map(check).collect(), is_done: false }
}

/// Looks at everything; `tell` hears of each outcome as it comes.
pub(super) async fn look(
    client: Result<Client, Problem>,
    who: Option<PublicKey>,
    needed_bps: u64,
    here: BoxFuture<'static, Vec<Check>>,
    tell: impl Fn(Vec<Check>),
) {
    let here = async {
        let found = here.await;
        let missing = HERE.into_iter().filter(|code| !found.iter().any(|check| check.code == *code));
        tell(missing.map(|code| named(code, (Doubtful, "This was not looked at.".into()))).collect());
        tell(found);
    };
    let there = async {
        let client = match client {
            Ok(client) => client,
            Err(problem) => {
                tell(vec![named("origin", (Bad, problem.message))]);
                return tell(unseen(&["identity", "upload", "clock", "relays"]));
            }
        };
        match client.about().await {
            Ok(about) => {
                tell(vec![named(
                    "origin",
                    (Good, format!("{} answers, version {}.", client.address(), about.version)),
                )]);
                look_there(&client, &about, who, needed_bps, &tell).await;
            }
            Err(error) => {
                tell(vec![named("origin", (Bad, error.problem().message))]);
                tell(unseen(&["identity", "upload", "clock", "relays"]));
            }
        }
    };
    tokio::join!(here, there);
}

async fn look_there(
    client: &Client,
    about: &About,
    who: Option<PublicKey>,
    needed_bps: u64,
    tell: &impl Fn(Vec<Check>),
) {
    tell(vec![named("clock", clock(about.clock_ahead_s))]);
    let (identity, relays) = tokio::join!(identity(client, who), relays(client));
    tell(vec![named("identity", identity), named("relays", relays)]);
    // Alone: it fills the line.
    let measured = client.upload_bps().await;
    tell(vec![named(
        "upload",
        measured.map_or_else(|error| (Doubtful, error.problem().message), |bps| upload(bps, needed_bps)),
    )]);
}

fn named(code: &str, (outcome, message): Found) -> Check {
    let title = CHECKS.iter().find(|(known, _)| *known == code).map_or(code, |(_, title)| title);
    Check { code: code.into(), title: title.into(), outcome, message }
}

fn unseen(codes: &[&str]) -> Vec<Check> {
    let message = "This can be looked at when the origin answers.";
    codes.iter().map(|code| named(code, (Doubtful, message.into()))).collect()
}

/// Whether the origin takes what the identity signs.
async fn identity(client: &Client, who: Option<PublicKey>) -> Found {
    let Some(who) = who else { return (Bad, "Create or import an identity first.".into()) };
    let path = format!("/api/v1/streams/user/{who}?limit=1");
    match client.ask::<StreamPage>(who, Method::GET, &path, &()).await {
        Ok(_) => (Good, "It signs, and the origin takes its signature.".into()),
        Err(ApiError::Unsigned(problem)) => (Bad, problem.message),
        Err(error) => (Bad, error.problem().message),
    }
}

async fn relays(client: &Client) -> Found {
    let url = client.address().relay_url();
    if let Err(problem) = Relay::connect(&url).await {
        return (Bad, problem.message);
    }
    let Ok(OutsideRelays { relays }) = client.get("/api/v1/relays", None, PATIENCE).await else {
        return (Good, "The origin's relay answers.".into());
    };
    let failed: Vec<_> =
        relays.iter().filter(|relay| relay.state == LinkState::Failed).map(|relay| relay.url.as_str()).collect();
    match (relays.len(), failed.len()) {
        (0, _) => (Good, "The origin's relay answers.".into()),
        (all, 0) => (Good, format!("The origin's relay answers, and so do {all} outside relays.")),
        (all, silent) => {
            let message = format!("{silent} of {all} outside relays do not answer: {}.", failed.join(", "));
            (Doubtful, skylark_protocol::text::line(&message, 300))
        }
    }
}

fn clock(ahead_s: Option<i64>) -> Found {
    let Some(ahead_s) = ahead_s else { return (Doubtful, "The origin does not say what time it is.".into()) };
    let by = ahead_s.unsigned_abs();
    let which = if ahead_s > 0 { "behind" } else { "ahead of" };
    let message = format!("This computer's clock is {by} s {which} the origin's.");
    match by {
        0..=1 => (Good, "This computer and the origin agree on the time.".into()),
        by if by <= CLOCK_DOUBTFUL_S => (Good, message),
        by if by <= CLOCK_BAD_S => (Doubtful, format!("{message} Set it, or chat may look old or early.")),
        _ => (Bad, format!("{message} Set it: the origin takes nothing that is signed with another time.")),
    }
}

fn upload(measured_bps: u64, needed_bps: u64) -> Found {
    let megabits = |bps: u64| format!("{}.{} Mbit/s", bps / 1_000_000, bps % 1_000_000 / 100_000);
    let (measured, needed) = (megabits(measured_bps), megabits(needed_bps));
    if measured_bps.saturating_mul(100) >= needed_bps.saturating_mul(UPLOAD_GOOD_PERCENT) {
        return (Good, format!("At least {measured} get through; {needed} are needed."));
    }
    let advice = "Choose a lower bitrate, or see what else uses the line.";
    (Doubtful, format!("{measured} got through; {needed} are to be sent. {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_with_its_direction() {
        assert_eq!(clock(Some(0)).0, Good);
        assert_eq!(clock(Some(-4)).0, Good);
        assert!(matches!(clock(Some(30)), (Doubtful, message) if message.contains("30 s behind")));
        assert!(matches!(clock(Some(-600)), (Bad, message) if message.contains("600 s ahead of")));
        assert_eq!(clock(None).0, Doubtful);
    }

    #[test]
    fn a_link_has_to_carry_more_than_what_is_sent() {
        assert_eq!(upload(9_000_000, 6_000_000).0, Good);
        assert!(matches!(upload(8_900_000, 6_000_000), (Doubtful, message) if message.starts_with("8.9 Mbit/s got")));
    }
}
