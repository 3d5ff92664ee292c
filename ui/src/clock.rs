//! The time, as dates of events have it.

/// Unix seconds by this device's clock.
pub(crate) fn now_s() -> u64 {
    (js_sys::Date::now() / 1000.0) as u64
}

/// "2 h 5 min"
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "1 min".to_owned(),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (1, ..) => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

/// "0:42", "12:05", "3:07:09".
pub(crate) fn duration(ms: f64) -> String {
    let seconds = (ms / 1000.0).max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// "14:05" in the person's own time.
pub(crate) fn time_of_day(unix_s: u64) -> String {
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(unix_s as f64 * 1000.0));
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// "21 Nov, 14:05" in the person's own time and language.
pub(crate) fn day_and_time(unix_s: u64) -> String {
    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(unix_s as f64 * 1000.0));
    format!("{}, {}", String::from(date.to_locale_date_string("default", &js_sys::Object::new())), time_of_day(unix_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(42_900.0), "0:42");
        assert_eq!(duration(725_000.0), "12:05");
        assert_eq!(duration(11_229_000.0), "3:07:09");
        assert_eq!(duration(-5.0), "0:00", "the clocks differ");
    }

    #[test]
    fn spans_are_said_roughly() {
        let spans = [5, 60, 3_599, 3_600, 7_500, 90_000, 200_000].map(span);
        assert_eq!(spans, ["1 min", "1 min", "59 min", "1 h", "2 h 5 min", "1 day", "2 days"]);
    }
}
