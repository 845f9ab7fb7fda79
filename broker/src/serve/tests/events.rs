//! What checkers hear, and what a kill waits for.

use super::*;
use crate::authority::Desk;

/// Reads a stream as it comes.
struct Reading {
    stream: TcpStream,
    text: String,
}

impl Reading {
    async fn open(rig: &Rig, headers: &str) -> Self {
        let mut stream = TcpStream::connect(rig.tcp).await.unwrap();
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", rig.tcp);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reading = Self { stream, text: String::new() };
        let head = reading.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        reading
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer);
            let read = tokio::time::timeout(Duration::from_secs(3), read).await.unwrap().unwrap();
            assert!(read > 0, "the stream ended after {:?}", self.text);
            self.text += std::str::from_utf8(&buffer[..read]).unwrap();
        }
    }

    /// Returns the next event, whatever it is.
    async fn event(&mut self) -> (String, Value) {
        let text = self.until("\n\n").await;
        let at = text.find("event: ").unwrap();
        let (name, data) = text[at..].trim_end().split_once('\n').unwrap();
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), data)
    }
}

async fn ack(rig: &Rig, headers: &str, stream: &str, seq: u64) -> Got {
    let body = format!("{{\"stream\":\"{stream}\",\"seq\":{seq}}}");
    rig.tcp(&format!(
        "POST /v1/ack HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{body}",
        rig.tcp,
        body.len()
    ))
    .await
}

async fn killed(rig: &Rig, n: u8) -> (Value, Duration) {
    let started = tokio::time::Instant::now();
    let got = rig.post_locally("/v1/kill", "", &format!("{{\"task\":\"{}\"}}", task(n))).await;
    assert_eq!(got.status, 200, "{got:?}");
    (got.json(), started.elapsed())
}

#[tokio::test]
async fn a_stream_is_for_registered_checkers() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/v1/events").await.status, 401);
    assert_eq!(rig.get_locally("/v1/events").await.status, 401, "the socket is no checker");
    assert_eq!(ack(&rig, "", "x", 1).await.status, 401);
    let basic = Rig::basic("api", SECRET);
    assert_eq!(ack(&rig, &basic, "x", 1).await.status, 404);
    let mut reading = Reading::open(&rig, &basic).await;
    let (name, hello) = reading.event().await;
    assert_eq!(name, "hello");
    let stream = hello["stream"].as_str().unwrap();
    let other = Rig::basic("other", OTHER_SECRET);
    assert_eq!(ack(&rig, &other, stream, 1).await.status, 404, "somebody else's stream");
    assert_eq!(ack(&rig, &basic, stream, 1).await.status, 200);
    // The daemon's own key may be published just now.
    while reading.event().await.0 != "heartbeat" {}
    drop(reading);
    for _ in 0..100 {
        if ack(&rig, &basic, stream, 1).await.status == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a stream that was closed is still there");
}

#[tokio::test]
async fn a_checker_hears_of_its_own_tokens_and_of_no_others() {
    let rig = Rig::new().await;
    let _watches = (rig.task(1).await, rig.task(2).await);
    let (api, _) = (rig.token(1, API, None).await, rig.token(1, "https://other.test", None).await);
    let revoked = rig.token(2, API, None).await;
    let mut reading = Reading::open(&rig, &Rig::basic("api", SECRET)).await;
    reading.event().await;
    rig.other.note_ended(call_ended(1)).await;
    killed(&rig, 1).await;
    let jti = |token: &AccessToken| -> String {
        let payload = token.expose().split('.').nth(1).unwrap();
        let payload = base64url::decode(payload).unwrap();
        serde_json::from_slice::<Value>(&payload).unwrap()["jti"].as_str().unwrap().to_owned()
    };
    let mut ended = Vec::new();
    let body = format!("token={}", revoked.expose());
    assert_eq!(rig.tcp_form("/revoke", "", &body).await.status, 200);
    while ended.len() < 2 {
        let text = reading.until("\n\n").await;
        if text.contains("event: ended") {
            let data = &text[text.find("data: ").unwrap() + 6..];
            let data: Value = serde_json::from_str(data.trim()).unwrap();
            ended.push(data["tokens"].clone());
        }
    }
    assert_eq!(ended, [serde_json::json!([jti(&api)]), serde_json::json!([jti(&revoked)])]);
}

#[tokio::test]
async fn a_kill_waits_for_a_checker_that_believes_something_and_names_what_became_of_it() {
    let rig = Rig::new().await;
    let _watches = (rig.task(1).await, rig.task(2).await);
    rig.other.note_ended(call_ended(1)).await;
    rig.other.note_ended(call_ended(2)).await;
    let basic = Rig::basic("api", SECRET);
    let mut reading = Reading::open(&rig, &basic).await;
    let (_, hello) = reading.event().await;
    let stream = hello["stream"].as_str().unwrap().to_owned();
    // It has asked, and says nothing any more.
    let before = ack(&rig, &basic, &stream, hello["seq"].as_u64().unwrap()).await.json();
    let (receipt, took) = killed(&rig, 1).await;
    assert!(took > Duration::from_millis(1800) && took < Duration::from_millis(2500), "{took:?}");
    assert_eq!(receipt["checkers"][0]["checker"], "api");
    assert_eq!(receipt["checkers"][0]["outcome"], "lapsed");
    // It takes in what comes, and says so.
    let (record, _) = (receipt["record"].as_u64().unwrap(), before);
    let last = ack(&rig, &basic, &stream, record).await.json()["seq"].as_u64().unwrap();
    assert!(last >= record);
    let acking = async {
        loop {
            let text = reading.until("\n\n").await;
            let Some(at) = text.find("data: ").filter(|_| text.contains("heartbeat")) else {
                continue;
            };
            let beat: Value = serde_json::from_str(text[at + 6..].trim()).unwrap();
            ack(&rig, &basic, &stream, beat["seq"].as_u64().unwrap()).await;
        }
    };
    let (receipt, took) = tokio::select! {
        killed = killed(&rig, 2) => killed,
        () = acking => unreachable!(),
    };
    assert!(took < Duration::from_millis(400), "{took:?}");
    assert_eq!(receipt["checkers"][0]["outcome"], "acked");
}

#[tokio::test]
async fn an_ack_that_says_nothing_is_refused() {
    let rig = Rig::new().await;
    let basic = Rig::basic("api", SECRET);
    for body in [
        "",
        "{}",
        "{\"stream\":1,\"seq\":1}",
        "{\"stream\":\"x\",\"seq\":-1}",
        "{\"stream\":\"x\",\"seq\":1,\"more\":1}",
        "{\"stream\":\"x\",\"seq\":1,\"seq\":2}",
    ] {
        let request = format!(
            "POST /v1/ack HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{basic}content-type: \
             application/json\r\ncontent-length: {}\r\n\r\n{body}",
            rig.tcp,
            body.len()
        );
        assert_eq!(rig.tcp(&request).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn a_daemon_that_stops_ends_its_streams() {
    let mut rig = Rig::new().await;
    let mut reading = Reading::open(&rig, &Rig::basic("api", SECRET)).await;
    reading.event().await;
    let started = tokio::time::Instant::now();
    rig.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_desk_shows_what_another_process_has_recorded() {
    let rig = Rig::new().await;
    let desk = Desk::open(rig.ledger.clone(), rig.clock.clone()).unwrap();
    let mut notices = desk.notices();
    let _watch = rig.task(1).await;
    let body = rig.token(1, API, None).await;
    desk.fresh().await.unwrap();
    let jti = desk.read(|state, _| state.tokens().next().map(|(jti, _)| jti.to_owned())).unwrap();
    assert!(desk.is_active(&jti).await.unwrap());
    rig.other.revoke_token(jti.clone(), None).await.unwrap();
    assert!(!desk.is_active(&jti).await.unwrap());
    assert!(!rig.other.revoke_token(jti.clone(), None).await.unwrap(), "it was revoked before");
    drop(body);
    loop {
        let notice = notices.try_recv().unwrap();
        if notice.tokens.contains_key(API) {
            assert_eq!(notice.tokens[API], [jti]);
            break;
        }
    }
}
