//! The `Date` header (RFC 9110 §6.6.1), rendered once a second and thread.

use std::{
    cell::Cell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Length of `Sat, 21 Nov 2026 02:15:26 GMT`.
const LEN: usize = 29;

thread_local! {
    static LAST: Cell<(u64, [u8; LEN])> = const { Cell::new((u64::MAX, [0; LEN])) };
}

/// Appends the date of now.
pub(super) fn append(head: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut second, mut text) = LAST.get();
    if second != now {
        let rendered = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        if let Ok(rendered) = <[u8; LEN]>::try_from(rendered.as_bytes()) {
            (second, text) = (now, rendered);
            LAST.set((second, text));
        }
    }
    head.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_of_now() {
        let mut head = Vec::new();
        append(&mut head);
        let told = httpdate::parse_http_date(std::str::from_utf8(&head).unwrap()).unwrap();
        assert!(told.elapsed().unwrap() < Duration::from_secs(5));
    }
}
