//! Microphones, by cpal.

use std::{
    thread,
    time::{Duration, Instant},
};

use cpal::{
    BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use skylark_protocol::studio::{Device, DeviceKind, Input};

use super::{
    CaptureError, Live, Opening,
    feed::{Feed, Reporter, SAMPLE_RATE},
    rest::Rest,
    sound::{self, Inlet, LATENCY},
    worker::{Watchdog, Worker},
};

/// Samples of a block: 20 ms at 48 kHz. What a system chooses by itself can be two seconds.
const BLOCK_SAMPLES: u32 = 960;
/// No device's own delay is longer; what claims to be does not know, seconds.
const MAX_DELAY_S: f64 = 0.5;

/// A microphone that is captured.
struct Microphone {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
    #[expect(dead_code, reason = "dropped to stop it")]
    watchdog: Watchdog,
}

impl Live for Microphone {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens a microphone.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Microphone { device } = input else { return Err(CaptureError::Unsupported("this as a microphone")) };
    let feed = Feed::sound(&opening, LATENCY)?;
    let reporter = opening.reporter.clone();
    let (watchdog, pulse) = Watchdog::start("The microphone", opening.reporter)?;
    let device = device.clone();
    // Drivers can hang: the thread is theirs then.
    let worker = Worker::start("capture microphone", move |stop| {
        if feed.wait(stop).is_none() {
            return;
        }
        let (inlet, outlet) = sound::way();
        match listen(&device, &feed, inlet, &reporter) {
            Ok((stream, rate)) => {
                outlet.run(rate, &feed, &pulse, stop);
                drop(stream);
            }
            Err(reason) => reporter.lost(&reason),
        }
    })?;
    Ok(Box::new(Microphone { worker, watchdog }))
}

/// Starts a device; its samples per second come with it.
fn listen(id: &str, feed: &Feed, inlet: Inlet, reporter: &Reporter) -> Result<(cpal::Stream, u32), String> {
    let host = cpal::default_host();
    let device = if id.is_empty() {
        host.default_input_device().ok_or("There is no microphone.")?
    } else {
        let mut all = host.input_devices().map_err(|error| format!("Microphones cannot be listed: {error}"))?;
        let is_it = |device: &cpal::Device| device.id().is_ok_and(|known| known.id() == id);
        all.find(is_it).ok_or("The microphone is not there.")?
    };
    let refused = |error: cpal::Error| format!("The microphone cannot be opened: {error}");
    let supported = configuration(&device).map_err(refused)?;
    let config = StreamConfig {
        channels: supported.channels(),
        sample_rate: supported.sample_rate(),
        buffer_size: match supported.buffer_size() {
            SupportedBufferSize::Range { min, max } => BufferSize::Fixed(BLOCK_SAMPLES.clamp(*min, (*max).max(*min))),
            SupportedBufferSize::Unknown => BufferSize::Fixed(BLOCK_SAMPLES),
        },
    };
    let parts = (device, config, feed.clone(), inlet, reporter.clone());
    let stream = match supported.sample_format() {
        SampleFormat::F32 => start::<f32>(parts),
        SampleFormat::I16 => start::<i16>(parts),
        SampleFormat::I32 => start::<i32>(parts),
        SampleFormat::U8 => start::<u8>(parts),
        other => return Err(format!("The microphone speaks {other}, which is not understood.")),
    };
    Ok((stream.map_err(refused)?, config.sample_rate))
}

/// What a device is asked for: floats at 48 kHz and stereo, or what comes next to it.
fn configuration(device: &cpal::Device) -> Result<SupportedStreamConfig, cpal::Error> {
    let format_rank = |format| match format {
        SampleFormat::F32 => 0,
        SampleFormat::I32 => 1,
        SampleFormat::I16 => 2,
        SampleFormat::U8 => 3,
        _ => 4,
    };
    let best = device
        .supported_input_configs()?
        .filter_map(|range| range.try_with_sample_rate(SAMPLE_RATE))
        .min_by_key(|config| {
            (
                format_rank(config.sample_format()) == 4,
                config.channels().abs_diff(2),
                format_rank(config.sample_format()),
            )
        });
    best.map_or_else(|| device.default_input_config(), Ok)
}

fn start<T: SizedSample>(
    (device, config, feed, inlet, reporter): (cpal::Device, StreamConfig, Feed, Inlet, Reporter),
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let rate = f64::from(config.sample_rate);
    let (mut rest, begun) = (Rest::default(), Instant::now());
    let stream = device.build_input_stream::<T, _, _>(
        config,
        move |data, info| {
            let Some(now) = feed.now() else { return };
            let stamps = info.timestamp();
            let age_s = stamps.callback.saturating_duration_since(stamps.capture).as_secs_f64();
            let frames = data.len() / channels;
            let length_s = frames as f64 / rate;
            // `capture` is of the first sample. Who does not know says now.
            let delay_s = (age_s - length_s).clamp(0.0, MAX_DELAY_S);
            let end_s = now.nseconds() as f64 / 1e9 - delay_s;
            inlet.give(data.chunks_exact(channels).map(stereo), end_s);
            if cfg!(target_os = "linux") {
                let rest_s = rest.after(begun.elapsed().as_secs_f64(), length_s, delay_s);
                thread::sleep(Duration::from_secs_f64(rest_s));
            }
        },
        move |error| match error.kind() {
            // What was lost is noticed by what comes next.
            ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
                tracing::debug!(%error, "a microphone's sound was interrupted");
            }
            _ => reporter.lost(&format!("The microphone has stopped: {error}")),
        },
        None,
    )?;
    stream.play()?;
    Ok(stream)
}

/// The first two channels, or the only one twice.
fn stereo<T: Sample>(frame: &[T]) -> [f32; 2]
where
    f32: FromSample<T>,
{
    let left = f32::from_sample(frame[0]);
    [left, frame.get(1).map_or(left, |right| f32::from_sample(*right))]
}

/// Microphones that are there now.
pub(super) fn devices() -> Vec<Device> {
    let Ok(all) = cpal::default_host().input_devices() else { return Vec::new() };
    let mut found: Vec<Device> = Vec::new();
    for device in all {
        let (Ok(id), Ok(description)) = (device.id(), device.description()) else { continue };
        if is_a_microphone(id.id()) && !found.iter().any(|known| known.id == id.id()) {
            let name = description.name().lines().next().unwrap_or_default().to_owned();
            found.push(Device { kind: DeviceKind::Microphone, id: id.id().to_owned(), name });
        }
    }
    found
}

/// ALSA lists its plugins as devices: of each card, only the way that fits every program is one; and what the system
/// routes.
#[cfg(target_os = "linux")]
fn is_a_microphone(id: &str) -> bool {
    id == "default" || id.starts_with("sysdefault:CARD=")
}

#[cfg(not(target_os = "linux"))]
fn is_a_microphone(_id: &str) -> bool {
    true
}
