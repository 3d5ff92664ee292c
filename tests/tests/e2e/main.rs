//! End-to-end tests: the real server, real publishers, real players. Run them with `cargo xtask test [NAME]`.

mod accessibility;
mod attacks;
mod chat;
mod command_line;
mod controls;
mod dashboard;
mod desk;
mod discover;
mod escrow;
mod evening;
mod events;
mod https;
mod identity;
mod keys;
mod mirror;
mod nostr_tools;
mod outside_relay;
mod page;
mod players;
mod private;
mod restart;
mod returning;
mod rtmp;
mod srt;
mod srt_attacks;
mod srt_clients;
