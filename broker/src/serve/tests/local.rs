//! What a process of this machine can do.

use super::*;

#[tokio::test]
async fn tasks_are_listed_a_page_at_a_time() {
    let rig = Rig::new().await;
    let _watches = (rig.task(1).await, rig.task(2).await, rig.task(3).await);
    rig.token(2, API, None).await;
    let all = rig.get_locally("/v1/tasks").await.json();
    assert_eq!(all["tasks"].as_array().unwrap().len(), 3);
    assert!(all.get("next").is_none());
    let row = &all["tasks"][1];
    assert_eq!(row["task"], task(2).to_string());
    assert_eq!((&row["state"], &row["tokens"]), (&"live".into(), &1.into()));
    assert_eq!(row["labels"]["job"], "2");
    assert_eq!(row["calls"].as_object().unwrap().len(), 1);
    let first = rig.get_locally("/v1/tasks?limit=2").await.json();
    assert_eq!(first["tasks"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let rest = rig.get_locally(&format!("/v1/tasks?limit=2&after={next}")).await.json();
    assert_eq!(rest["tasks"][0]["task"], task(3).to_string());
    assert!(rest.get("next").is_none());
    for query in ["limit=0", "limit=1001", "limit=x", "after=x", "limit=1&limit=2", "other=1"] {
        assert_eq!(rig.get_locally(&format!("/v1/tasks?{query}")).await.status, 400, "{query}");
    }
}

/// A process that runs the tasks and stops what it is told to stop.
async fn obedient(rig: &Rig, mut watch: Watch, n: u8) -> JoinHandle<()> {
    let other = rig.other.clone();
    tokio::spawn(async move {
        let following = {
            let other = other.clone();
            tokio::spawn(async move { other.follow().await })
        };
        watch.stopped().await;
        other.note_ended(call_ended(n)).await;
        following.abort();
    })
}

#[tokio::test]
async fn a_kill_answers_with_its_receipt_once_everything_has_stopped() {
    let rig = Rig::new().await;
    let watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let stopped = obedient(&rig, watch, 1).await;
    let body = format!("{{\"task\":\"{}\",\"why\":\"it went astray\"}}", task(1));
    let got = rig.post_locally("/v1/kill", "", &body).await;
    assert_eq!(got.status, 200, "{got:?}");
    let receipt = got.json();
    assert_eq!(receipt["durable"], true);
    assert_eq!(receipt["tasks"], serde_json::json!([task(1).to_string()]));
    assert_eq!((&receipt["calls"], &receipt["tokens"]), (&1.into(), &1.into()));
    assert_eq!(
        receipt["processes"][HostId::from_random([1; RANDOM_BYTES]).as_str()],
        "acknowledged"
    );
    assert!(rig.introspect(token.expose()).await.is_inactive());
    let uid = rustix::process::geteuid().as_raw();
    let killed =
        rig.ledger.read(1, usize::MAX).unwrap().into_iter().find_map(|record| {
            match record.decode().unwrap() {
                Event::TaskKilled { by, why, .. } => Some((by, why)),
                _ => None,
            }
        });
    assert_eq!(killed, Some((Owner::User { uid }, Some("it went astray".to_owned()))));
    stopped.await.unwrap();
    assert_eq!(rig.post_locally("/v1/kill", "", &body).await.status, 404, "it is not live");
}

#[tokio::test]
async fn the_same_kill_asked_for_twice_is_done_once() {
    let rig = Rig::new().await;
    let watch = rig.task(1).await;
    obedient(&rig, watch, 1).await;
    let key = "idempotency-key: abc\r\n";
    let first = rig.post_locally("/v1/kill", key, "{\"all\":true}").await;
    let again = rig.post_locally("/v1/kill", key, "{\"all\":true}").await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, again.body);
    let otherwise = rig.post_locally("/v1/kill", key, "{\"label\":{\"job\":\"1\"}}").await;
    assert_eq!(otherwise.status, 422);
    assert_eq!(otherwise.header("content-type"), Some("application/problem+json"));
    let anew = rig.post_locally("/v1/kill", "idempotency-key: abd\r\n", "{\"all\":true}").await;
    assert_eq!(anew.json()["tasks"], serde_json::json!([]));
    let empty = rig.post_locally("/v1/kill", "idempotency-key: \r\n", "{\"all\":true}").await;
    assert_eq!(empty.status, 400);
}

#[tokio::test]
async fn a_kill_that_cannot_be_meant_kills_nothing() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let named = task(1);
    for body in [
        "",
        "{}",
        "[]",
        "{\"all\":false}",
        "{\"all\":1}",
        "{\"all\":true,\"all\":true}",
        "{\"all\":true,\"label\":{\"job\":\"1\"}}",
        "{\"all\":true,\"only\":\"x\"}",
        "{\"label\":{}}",
        "{\"label\":{\"a\":\"1\",\"b\":\"2\"}}",
        "{\"label\":{\"a\":1}}",
        "{\"owner\":{\"kind\":\"user\"}}",
        "{\"owner\":{\"kind\":\"user\",\"uid\":-1}}",
        "{\"task\":\"x\"}",
        "{\"task\":null}",
        "{\"why\":\"x\"}",
        &format!("{{\"task\":\"{named}\",\"why\":1}}"),
        &format!("{{\"task\":[\"{named}\"]}}"),
        &format!("{{\"all\":{}true{}}}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let got = rig.post_locally("/v1/kill", "", body).await;
        assert_eq!(got.status, 400, "{body}");
        assert_eq!(got.header("content-type"), Some("application/problem+json"));
    }
    assert!(!rig.story().contains(&"task.killed".to_owned()));
}

#[tokio::test]
async fn the_local_api_is_not_there_over_tcp() {
    let rig = Rig::new().await;
    for path in ["/v1/tasks", "/v1/kill", "/openapi.json", "/nothing"] {
        let got = rig.get(path).await;
        assert_eq!(got.status, 404, "{path}");
        assert_eq!(got.body, rig.get("/nothing").await.body);
    }
    assert_eq!(rig.get_locally("/openapi.json").await.json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_description_and_the_routes_say_the_same() {
    let rig = Rig::new().await;
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in ["get", "post", "put", "delete", "patch"] {
            let request = format!(
                "{} {path} HTTP/1.1\r\nhost: writ\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                method.to_uppercase()
            );
            // A stream has no end.
            let got = tokio::time::timeout(Duration::from_secs(1), rig.unix(&request)).await;
            let status = got.map_or(200, |got| got.status);
            let described = methods.get(method).is_some();
            assert_eq!(status != 405, described, "{method} {path}: {status}");
            if described {
                let said = methods[method]["responses"].get(status.to_string());
                assert!(said.is_some(), "{method} {path} answers {status}, which is not described");
            }
        }
    }
    let source = include_str!("../routes.rs");
    let routes = source.matches(".route(\"").count();
    assert_eq!(routes, paths.len(), "every route is described");
    assert!(paths.keys().all(|path| source.contains(&format!(".route(\"{path}\""))));
}

#[tokio::test]
async fn the_socket_is_private_and_one_daemon_has_it() {
    let mut rig = Rig::new().await;
    let mode = rig.socket.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let settings = |listen| Settings {
        ledger: rig.ledger.clone(),
        clock: rig.clock.clone(),
        issuer: rig.issuer.clone(),
        checkers: Checkers::default(),
        listen: vec![listen],
    };
    let second = Server::bind(settings(Listen::Unix(rig.socket.clone())));
    assert!(matches!(second.err().unwrap(), ServeError::Running(_)));
    let file = rig.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(Server::bind(settings(Listen::Unix(file.clone()))).is_err());
    assert!(file.exists(), "what is no socket is left alone");
    let open = rig.dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let exposed = Server::bind(settings(Listen::Unix(open.join("sock"))));
    assert!(matches!(exposed.err().unwrap(), ServeError::Directory(_)));
    let anywhere = Listen::Tcp { address: "0.0.0.0:0".parse().unwrap(), tls: None };
    assert!(matches!(Server::bind(settings(anywhere)).err().unwrap(), ServeError::Cleartext(_)));
    rig.stop().await;
    assert!(!rig.socket.exists(), "it goes with its daemon");
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let socket = dir.path().join("writ.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    assert!(Listen::Unix(socket.clone()).bind().is_ok());
}
