use std::path::Path;

use super::*;

fn file(text: &str) -> Result<Config, ConfigError> {
    parse(Some((Path::new("skylark.toml"), text)), [])
}

fn environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    parse(Some((Path::new("skylark.toml"), text)), variables)
}

#[test]
fn the_printed_configuration_reads_back_to_the_same() {
    let mut config = Config::default();
    config.srt.passphrase_file = Some("/etc/skylark/passphrase".into());
    config.http.addr = "[::1]:443".parse().unwrap();
    assert_eq!(file(&config.to_toml().unwrap()).unwrap(), config);
}

#[test]
fn an_unknown_name_is_refused_with_its_line() {
    let error = file("[hls]\npart_ms = 300\npart_length = 3\n").unwrap_err().to_string();
    assert!(error.starts_with("skylark.toml, line 3:") && error.contains("part_length"), "{error}");
    let error = file("reconect_timeout = 3\n").unwrap_err().to_string();
    assert!(error.starts_with("skylark.toml, line 1:") && error.contains("reconect_timeout"), "{error}");
}

#[test]
fn an_error_does_not_show_the_line_itself() {
    for text in ["[srt]\npassphrase = \"open sesame\"\n", "[srt]\nx = open sesame\n"] {
        let error = file(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("line 2") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables =
        [("SKYLARK_HTTP_ADDR", "9000"), ("SKYLARK_HLS_PART_MS", "200"), ("SKYLARK_STORE_WRITE_BEHIND", "false")];
    let config = environment("[hls]\npart_ms = 500\nwindow_s = 60\n", &variables).unwrap();
    assert_eq!(config.http.addr, ListenAddr::any(9000));
    assert_eq!((config.hls.part_ms, config.hls.window_s), (200, 60));
    assert!(!config.store.write_behind);
}

#[test]
fn variables_of_other_programs_are_left_alone_and_wrong_ones_are_named() {
    assert_eq!(environment("", &[("SKYLARK_ORIGIN_BIN", "/bin/true"), ("PATH", "/bin")]).unwrap(), Config::default());
    let error = environment("", &[("SKYLARK_HLS_PART", "200")]).unwrap_err().to_string();
    assert!(error.starts_with("SKYLARK_HLS_PART:") && error.contains("unknown field"), "{error}");
    let error = environment("", &[("SKYLARK_HLS_PART_MS", "short")]).unwrap_err().to_string();
    assert!(error.starts_with("SKYLARK_HLS_PART_MS:"), "{error}");
}

#[test]
fn values_that_cannot_work_are_refused() {
    for (text, name) in [
        ("[hls]\npart_ms = 20\n", "hls.part_ms = 20"),
        ("[hls]\npart_ms = 1500\n", "two parts"),
        ("[hls]\nsegment_ms = 4000\nwindow_s = 10\n", "three segments"),
        ("[http]\ntls_cert = \"a.pem\"\n", "tls_key"),
        ("[http]\npublic_url = \"example.org\"\n", "https://"),
        ("[limits]\nbitrate_kbps = 1\n", "limits.bitrate_kbps"),
    ] {
        let error = file(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(name), "{text}: {error}");
    }
    Config::default().check().unwrap();
}

#[test]
fn addresses_are_taken_as_people_write_them() {
    for (text, printed) in
        [(":8080", ":8080"), ("8080", ":8080"), ("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:1", "[::1]:1")]
    {
        assert_eq!(text.parse::<ListenAddr>().unwrap().to_string(), printed);
    }
    for bad in ["", ":", "localhost", "1.2.3.4", ":65536", "70000", "::1:80"] {
        assert!(bad.parse::<ListenAddr>().is_err(), "{bad}");
    }
    let any: ListenAddr = ":8080".parse().unwrap();
    assert!(any.to_socket_addr().ip().is_unspecified());
}

#[test]
fn the_environment_can_set_every_section() {
    let toml::Value::Table(sections) = toml::Value::try_from(Config::default()).unwrap() else {
        panic!("a configuration is a table")
    };
    for section in sections.keys() {
        let variable = format!("{ENV_PREFIX}{}_NO_SUCH_KEY", section.to_uppercase());
        assert!(parse(None, [(variable.clone(), "1".to_owned())]).is_err(), "{variable} is overlooked");
    }
}
