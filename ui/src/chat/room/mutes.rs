//! Whom the viewer does not want to hear. This browser remembers it; and where the viewer's own mute list (kind 10000) is
//! known, it goes there, too. A list that was not seen is never made: it would replace the one that other programs know.

use leptos::prelude::*;
use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent, kind, update_time},
    moderation::MuteList,
};

use super::Room;
use crate::{
    clock::now_s,
    engine,
    relay::{Filter, News},
};

/// Where this browser keeps them.
const HIDDEN_KEY: &str = "skylark.hidden-people";
/// People that it keeps; those hidden first are forgotten first.
const MAX_HIDDEN: usize = 500;

/// Those whom this browser hides.
pub(super) fn hidden() -> Vec<PublicKey> {
    let kept = engine::remembered(HIDDEN_KEY).unwrap_or_default();
    kept.split(' ').filter_map(|key| key.parse().ok()).take(MAX_HIDDEN).collect()
}

fn remember(hidden: &[PublicKey]) {
    let newest = hidden.iter().skip(hidden.len().saturating_sub(MAX_HIDDEN));
    engine::remember(HIDDEN_KEY, &newest.map(ToString::to_string).collect::<Vec<_>>().join(" "));
}

impl Room {
    /// Hides somebody from this viewer.
    pub(crate) async fn mute(self, pubkey: PublicKey) -> Result<(), String> {
        let mut hidden = hidden();
        hidden.push(pubkey);
        remember(&hidden);
        self.hide(pubkey);
        self.edit_list(&[pubkey], true).await
    }

    /// Shows everybody again whom this browser hides.
    pub(crate) async fn show_all(self) -> Result<(), String> {
        self.edit_list(&hidden(), false).await?;
        remember(&[]);
        // What they said meanwhile has to be asked for.
        window().location().reload().map_err(|_| "Reload the page to see them.".to_owned())
    }

    /// Takes the viewer's own list as it is, and as it changes.
    pub(super) fn follow_own_list(self) {
        let subscription = StoredValue::new(None);
        let end = move || {
            if let Some(id) = subscription.try_update_value(Option::take).flatten() {
                self.relay.end(id);
            }
        };
        Effect::new(move || {
            let me = self.identity.pubkey();
            end();
            self.with(|inner| inner.own_list = None);
            // The host's own is one of the rules already.
            let Some(me) = me.filter(|me| *me != self.stream().pubkey) else { return };
            let filter = Filter { authors: vec![me], kinds: vec![kind::MUTE_LIST], ..Filter::default() };
            let id = self.relay.subscribe(vec![filter], move |update| {
                if let News::Event(event) = update {
                    self.take_own_list(event);
                }
            });
            subscription.set_value(Some(id));
        });
        on_cleanup(end);
    }

    pub(super) fn take_own_list(self, event: Event) {
        // Other relays send what they like.
        let Some(list) = MuteList::read(&event).ok().filter(|_| Some(event.pubkey) == self.identity.pubkey_now())
        else {
            return;
        };
        self.with(|inner| {
            if inner.own_list.as_ref().is_none_or(|old| event.replaces(old)) {
                inner.own_list = Some(event);
            }
        });
        list.pubkeys.into_iter().for_each(|pubkey| self.hide(pubkey));
    }

    fn hide(self, pubkey: PublicKey) {
        self.hidden.update(|count| *count += 1);
        self.with(|inner| inner.log.mute(pubkey));
        self.gather();
    }

    /// Puts people on the viewer's list or takes them off it, with one signature; nothing where no list is known.
    async fn edit_list(self, pubkeys: &[PublicKey], is_muted: bool) -> Result<(), String> {
        let Some(mut list) = self.with(|inner| inner.own_list.clone()) else { return Ok(()) };
        let (owner, before) = (list.pubkey, list.tags.clone());
        let at = update_time(now_s(), Some(list.created_at)).map_err(|skew| skew.to_string())?;
        for pubkey in pubkeys {
            list.tags = MuteList::edited(owner, at, Some(&list), pubkey, is_muted).tags;
        }
        if list.tags == before {
            return Ok(());
        }
        let Event { tags, content, .. } = list;
        self.publish(|pubkey| UnsignedEvent { pubkey, created_at: at, kind: kind::MUTE_LIST, tags, content }).await
    }
}
