//! The time, as dates of events have it.

/// Unix seconds by this device's clock.
pub(crate) fn now_s() -> u64 {
    (js_sys::Date::now() / 1000.0) as u64
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
