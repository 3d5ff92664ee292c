//! `onMetaData`: what the publisher says it will send.

use crate::rtmp::amf0::{self, Value};

/// Announced tracks and bitrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) video: bool,
    pub(super) audio: bool,
    pub(super) bitrate_bps: Option<u64>,
}

/// Reads a data tag; `None` when it is no `onMetaData`, or says nothing of tracks. Metadata is a courtesy: what cannot
/// be read is passed over.
pub(super) fn parse(data: &[u8]) -> Option<Metadata> {
    let values = amf0::decode_all(data).ok()?;
    let mut values = values.iter().skip_while(|value| value.as_str() == Some("@setDataFrame"));
    if values.next()?.as_str() != Some("onMetaData") {
        return None;
    }
    let object = values.next()?;
    let announced = |codec: &str, flag: &str| match (object.get(codec), object.get(flag)) {
        (Some(Value::Number(id)), _) => Some(*id != 0.0),
        (Some(Value::String(name)), _) => Some(!name.is_empty()),
        (_, Some(Value::Boolean(has))) => Some(*has),
        _ => None,
    };
    let (video, audio) = (announced("videocodecid", "hasVideo"), announced("audiocodecid", "hasAudio"));
    if video.is_none() && audio.is_none() {
        return None;
    }
    let rate_kbps =
        |name: &str| object.get(name).and_then(Value::as_number).filter(|rate| rate.is_finite() && *rate > 0.0);
    let rates = [rate_kbps("videodatarate"), rate_kbps("audiodatarate")];
    let sum_kbps: f64 = rates.iter().flatten().sum();
    // The cast saturates.
    let bitrate_bps = rates.iter().any(Option::is_some).then_some((sum_kbps * 1000.0) as u64);
    Some(Metadata { video: video.unwrap_or(false), audio: audio.unwrap_or(false), bitrate_bps })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn tag(name: &str, properties: &[(&str, Value)]) -> BytesMut {
        let object = Value::Object(properties.iter().map(|(name, value)| ((*name).into(), value.clone())).collect());
        let mut out = BytesMut::new();
        amf0::encode_all(&[Value::String(name.into()), object], &mut out);
        out
    }

    #[test]
    fn tracks_and_rates_are_read() {
        let both = tag(
            "onMetaData",
            &[
                ("videocodecid", Value::Number(7.0)),
                ("videodatarate", Value::Number(2500.0)),
                ("audiocodecid", Value::Number(10.0)),
                ("audiodatarate", Value::Number(128.0)),
            ],
        );
        assert_eq!(parse(&both), Some(Metadata { video: true, audio: true, bitrate_bps: Some(2_628_000) }));
        let sound = tag("onMetaData", &[("audiocodecid", Value::String("mp4a".into()))]);
        assert_eq!(parse(&sound), Some(Metadata { video: false, audio: true, bitrate_bps: None }));
        assert_eq!(parse(&tag("onMetaData", &[("duration", Value::Number(0.0))])), None);
        assert_eq!(parse(&tag("onCuePoint", &[("videocodecid", Value::Number(7.0))])), None);
        assert_eq!(parse(&[8, 255]), None);
    }

    #[test]
    fn absurd_rates_do_no_harm() {
        let absurd =
            tag("onMetaData", &[("videocodecid", Value::Number(7.0)), ("videodatarate", Value::Number(f64::MAX))]);
        assert_eq!(parse(&absurd).unwrap().bitrate_bps, Some(u64::MAX));
        let nan =
            tag("onMetaData", &[("videocodecid", Value::Number(7.0)), ("videodatarate", Value::Number(f64::NAN))]);
        assert_eq!(parse(&nan).unwrap().bitrate_bps, None);
    }
}
