//! Zaps (NIP-57) and their goals (NIP-75).
//!
//! A receipt is a claim of the recipient's wallet, no proof of payment. What can be checked without asking the wallet is
//! checked here; that its key is the wallet's has to be asked for by whoever totals.

use crate::{
    address::Address,
    event::{Event, EventId, PublicKey, ReadError, kind},
    text,
};

/// Longest comment of a zap that is kept, characters.
const MAX_COMMENT_CHARS: usize = 500;
/// Largest zap that is believed: all the bitcoin there can be, in millisatoshi.
const MAX_MSAT: u64 = 2_100_000_000_000_000_000;

/// A zap, by its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zap {
    /// Its receipt.
    pub id: EventId,
    /// Who wrote the receipt: the recipient's wallet, if it is true.
    pub wallet: PublicKey,
    /// When, Unix seconds.
    pub created_at: u64,
    /// Who zapped.
    pub sender: PublicKey,
    /// Who was zapped.
    pub recipient: PublicKey,
    /// How much, in millisatoshi: what the invoice says.
    pub amount_msat: u64,
    /// What was said with it.
    pub comment: String,
    /// The live event zapped for.
    pub stream: Option<Address>,
    /// The event zapped for: a message, a goal.
    pub target: Option<EventId>,
}

/// A goal that zaps add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZapGoal {
    /// Its event.
    pub id: EventId,
    /// Whose it is.
    pub author: PublicKey,
    /// How much, in millisatoshi.
    pub amount_msat: u64,
    /// What for.
    pub text: String,
    /// Zaps after this do not count, Unix seconds.
    pub closed_at: Option<u64>,
}

impl Zap {
    /// Reads a receipt and the request in it.
    ///
    /// # Errors
    /// When it is none, or request and invoice do not fit each other.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::ZAP_RECEIPT)?;
        let tags = event.tags();
        let description = tags.all("description").find_map(|rest| rest.first()).ok_or(ReadError::Tag("description"))?;
        let request: Event =
            serde_json::from_str(description).map_err(|_| ReadError::Content("a receipt of a zap request"))?;
        request.expect_kind(kind::ZAP_REQUEST)?;
        if !request.has_true_id() {
            return Err(ReadError::Content("a receipt of an unchanged zap request"));
        }
        let amount_msat = tags.value("bolt11").and_then(invoice_msat).ok_or(ReadError::Tag("bolt11"))?;
        let asked: Option<u64> = request.tags().parsed("amount");
        if asked.is_some_and(|asked| asked != amount_msat) {
            return Err(ReadError::Content("a receipt of the amount that was asked for"));
        }
        let recipient = request.tags().parsed("p").ok_or(ReadError::Tag("p"))?;
        if tags.parsed::<PublicKey>("p").is_some_and(|other| other != recipient) {
            return Err(ReadError::Content("a receipt for the recipient that was asked for"));
        }
        Ok(Self {
            id: event.id,
            wallet: event.pubkey,
            created_at: event.created_at,
            sender: request.pubkey,
            recipient,
            amount_msat,
            comment: text::block(&request.content, MAX_COMMENT_CHARS),
            stream: Address::live_event_in(request.tags()).or_else(|| Address::live_event_in(tags)),
            target: request.tags().parsed("e").or_else(|| tags.parsed("e")),
        })
    }
}

impl ZapGoal {
    /// Reads a goal.
    ///
    /// # Errors
    /// When it is none, or has no amount.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::ZAP_GOAL)?;
        let amount_msat = event.tags().parsed("amount").filter(|amount| (1..=MAX_MSAT).contains(amount));
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            amount_msat: amount_msat.ok_or(ReadError::Tag("amount"))?,
            text: text::block(&event.content, MAX_COMMENT_CHARS),
            closed_at: event.tags().parsed("closed_at"),
        })
    }
}

/// The amount in the human-readable part of a Lightning invoice (BOLT 11), in millisatoshi.
fn invoice_msat(invoice: &str) -> Option<u64> {
    let lower = invoice.trim().to_ascii_lowercase();
    // The data part has no `1`: what stands before the last one can be read by people.
    let (readable, _) = lower.rsplit_once('1')?;
    let amount = ["lnbcrt", "lnbc", "lntbs", "lntb"].iter().find_map(|prefix| readable.strip_prefix(prefix))?;
    let digits = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    // One bitcoin is 10^11 millisatoshi.
    let msat = match amount.get(digits.len()..)? {
        "" => number.checked_mul(100_000_000_000)?,
        "m" => number.checked_mul(100_000_000)?,
        "u" => number.checked_mul(100_000)?,
        "n" => number.checked_mul(100)?,
        "p" => number / 10,
        _ => return None,
    };
    (1..=MAX_MSAT).contains(&msat).then_some(msat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    fn receipt(request: &Event, bolt11: &str) -> Event {
        let description = serde_json::to_string(request).unwrap();
        let recipient = "0c".repeat(32);
        event(9735, &[&["p", &recipient], &["bolt11", bolt11], &["description", &description]], "")
    }

    fn request(amount: &str) -> Event {
        let (recipient, stream) = ("0c".repeat(32), format!("30311:{}:d", "0c".repeat(32)));
        event(
            9734,
            &[&["p", &recipient], &["amount", amount], &["a", &stream], &["relays", "wss://r.example"]],
            "well done",
        )
    }

    #[test]
    fn a_receipt_says_who_how_much_and_for_what() {
        let zap = Zap::read(&receipt(&request("21000"), "lnbc210n1pjq")).unwrap();
        assert_eq!((zap.amount_msat, zap.comment.as_str()), (21_000, "well done"));
        assert_eq!(zap.stream.unwrap().identifier, "d");
    }

    #[test]
    fn receipts_that_do_not_fit_are_no_zaps() {
        assert!(Zap::read(&receipt(&request("21000"), "lnbc2100n1pjq")).is_err(), "another amount");
        assert!(Zap::read(&receipt(&request("21000"), "lnbc1pjq")).is_err(), "no amount");
        let mut changed = request("21000");
        changed.content = "something else".into();
        assert!(Zap::read(&receipt(&changed, "lnbc210n1pjq")).is_err(), "a changed request");
        assert!(Zap::read(&event(9735, &[&["description", "{"]], "")).is_err());
    }

    #[test]
    fn invoices_say_their_amount() {
        for (invoice, msat) in [
            ("lnbc1m1x", Some(100_000_000)),
            ("LNBC2500U1X", Some(250_000_000)),
            ("lntb20n1x", Some(2000)),
            ("lnbcrt10p1x", Some(1)),
            ("lnbc21x", Some(200_000_000_000)),
            ("lnbc99999999999999999999m1x", None),
            ("lnbc1x", None),
            ("bc1q", None),
            ("", None),
        ] {
            assert_eq!(invoice_msat(invoice), msat, "{invoice}");
        }
    }

    #[test]
    fn goals_have_an_amount() {
        let goal = ZapGoal::read(&event(9041, &[&["amount", "210000"], &["relays", "wss://a"]], "A lamp")).unwrap();
        assert_eq!((goal.amount_msat, goal.text.as_str(), goal.closed_at), (210_000, "A lamp", None));
        assert!(ZapGoal::read(&event(9041, &[&["amount", "-1"]], "")).is_err());
    }
}
