//! How many connections there may be, in all and from one address: nobody alone can take every place.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The places for one kind of connection.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    max: usize,
    max_per_address: usize,
    total: usize,
    addresses: HashMap<IpAddr, usize>,
}

/// Somebody's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    table: Arc<Mutex<Table>>,
    address: IpAddr,
}

impl Places {
    /// So many places in all, and for one address (an IPv6 /64 network counts as one).
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        let table = Table { max, max_per_address, total: 0, addresses: HashMap::new() };
        Self { table: Arc::new(Mutex::new(table)) }
    }

    /// A place, if there is one.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut table = lock(&self.table);
        let here = table.addresses.get(&address).copied().unwrap_or(0);
        if table.total >= table.max || here >= table.max_per_address {
            return None;
        }
        table.total += 1;
        table.addresses.insert(address, here + 1);
        Some(Place { table: Arc::clone(&self.table), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        table.total = table.total.saturating_sub(1);
        if let Some(here) = table.addresses.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                table.addresses.remove(&self.address);
            }
        }
    }
}

/// The table is consistent between any two statements, so a panic elsewhere does not spoil it.
fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One household has one IPv4 address or one IPv6 /64 network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let places = Places::new(3, 2);
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = places.enter(one).unwrap();
        let _second = places.enter("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(places.enter(one).is_none(), "two from one address");
        let _third = places.enter(other).unwrap();
        assert!(places.enter(other).is_none(), "three in all");
        drop(first);
        assert!(places.enter(one).is_some());
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let places = Places::new(10, 1);
        let _place = places.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(places.enter("2001:db8::2".parse().unwrap()).is_none());
        assert!(places.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
