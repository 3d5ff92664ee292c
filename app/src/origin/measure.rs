//! What there is to know of an origin before going live: its version, its clock, how fast it can be sent to.

use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;

use super::{
    Client,
    client::{ApiError, bounded, silent},
};

/// Time for each question.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is sent at once: the API takes no more in one request, bytes.
const CHUNK_BYTES: usize = 15 * 1024;
/// Connections that send at the same time: with fewer, distance would look like lack of speed.
const SENDERS: usize = 12;
/// How long is sent for measuring.
const MEASURED: Duration = Duration::from_millis(1500);
/// Most that each sender sends for measuring.
const MAX_CHUNKS: usize = 400;
/// Where it is sent: an address that takes nothing, and says so when all of it has come.
const SINK: &str = "/healthz";

/// What an origin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its version.
    pub version: String,
    /// Its clock minus ours, seconds, as well as HTTP tells; none if it does not.
    pub clock_ahead_s: Option<i64>,
    /// How long the question took.
    pub round_trip: Duration,
}

/// The relay's information document (NIP-11), as far as it is needed.
#[derive(Deserialize)]
struct Document {
    software: String,
    version: String,
}

impl Client {
    /// Whether this is an origin of ours, and which.
    ///
    /// # Errors
    /// Nobody answers, or somebody else.
    pub async fn about(&self) -> Result<About, ApiError> {
        let asked = Instant::now();
        let request = self.http().get(self.address().url("/")).header("accept", "application/nostr+json");
        let answer = request.timeout(PATIENCE).send().await.map_err(silent)?;
        let (received, round_trip) = (SystemTime::now(), asked.elapsed());
        let date = answer.headers().get("date").and_then(|value| value.to_str().ok()).and_then(read_date);
        if !answer.status().is_success() {
            return Err(ApiError::Odd(format!("it answers with status {}", answer.status().as_u16())));
        }
        let document: Document = serde_json::from_slice(&bounded(answer).await?)
            .map_err(|_| ApiError::Odd("it does not say what it is".into()))?;
        if document.software != "skylark-origin" {
            return Err(ApiError::Odd("another program answers there".into()));
        }
        let ours = received.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The date is whole seconds: half a second in, on average, and half a round trip ago.
        let ours_s = (ours + Duration::from_millis(500)).saturating_sub(round_trip / 2).as_secs();
        let clock_ahead_s = date.map(|theirs| theirs.saturating_sub(i64::try_from(ours_s).unwrap_or(i64::MAX)));
        Ok(About { version: skylark_protocol::text::line(&document.version, 40), clock_ahead_s, round_trip })
    }

    /// How much can be sent there, bits per second. It may be more: this much is sure.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn upload_bps(&self) -> Result<u64, ApiError> {
        let mut noise = vec![0; CHUNK_BYTES];
        // Nothing on the way may make it smaller.
        if getrandom::fill(&mut noise).is_err() {
            return Err(ApiError::Odd("the system has no randomness".into()));
        }
        let noise = bytes::Bytes::from(noise);
        let (url, start) = (self.address().url(SINK), Instant::now());
        let senders = (0..SENDERS).map(|_| async {
            let mut sent = 0;
            for _ in 0..MAX_CHUNKS {
                if start.elapsed() >= MEASURED {
                    break;
                }
                let answer =
                    self.http().post(&url).body(noise.clone()).timeout(PATIENCE).send().await.map_err(silent)?;
                // To the end, so that the connection is used again.
                bounded(answer).await?;
                sent += noise.len();
            }
            Ok::<_, ApiError>(sent)
        });
        let sent: usize = futures_util::future::try_join_all(senders).await?.into_iter().sum();
        let bits = u128::try_from(sent).unwrap_or_default() * 8;
        Ok(u64::try_from(bits * 1000 / start.elapsed().as_millis().max(1)).unwrap_or(u64::MAX))
    }
}

/// `Sat, 21 Nov 2026 15:20:31 GMT` as Unix seconds.
fn read_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // Days since 1970 by the civil calendar, the year beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
            - 1
            - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(read_date("Sat, 21 Nov 2026 15:20:31 GMT"), Some(1_795_274_431));
        assert_eq!(read_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        for junk in ["", "yesterday", "Sat, 21 Nov 2026 15:20 GMT", "Sat, 21 Nev 2026 15:20:31 GMT"] {
            assert_eq!(read_date(junk), None, "{junk}");
        }
    }
}
