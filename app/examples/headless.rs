fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    tracing_subscriber_init();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let data = std::path::PathBuf::from(&arguments[2]);
    let folders = skylark_studio::studio::Folders { videos: data.clone(), data };
    let options = skylark_studio::headless::Options {
        scene: arguments[1].clone().into(),
        folders,
        live: None,
        origin: None,
        push_url: std::env::var("SKYLARK_PUSH_URL").ok(),
        records: std::env::var("RECORD").is_ok(),
        duration: Some(std::time::Duration::from_secs(arguments[3].parse().unwrap())),
        reports: true,
        watches: std::env::var("WATCH").is_ok(),
    };
    if let Ok(path) = std::env::var("SHOT") {
        runtime.block_on(async {
            let c = skylark_studio::document::read(&options.scene).unwrap();
            let studio = skylark_studio::studio::Studio::open_with(options.folders.clone(), c).await.unwrap();
            let mut p = studio.pictures(skylark_protocol::studio::View::Program, 1280);
            for n in 0..60 {
                let j = p.next().await.unwrap();
                if n == 59 {
                    std::fs::write(&path, &j).unwrap();
                }
            }
            println!("{:?}", studio.snapshots().borrow().sources);
        });
        return;
    }
    runtime.block_on(skylark_studio::headless::run(options, std::future::pending())).unwrap();
}
fn tracing_subscriber_init() {}
