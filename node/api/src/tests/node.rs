//! The interface over the scripted node: started, called byte by byte, stopped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::registry::Registry;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::fake::{Fake, PATIENCE};
use super::kafka::Replica;
use crate::{
    ApiConfig, ApiMetrics, ApiToken, Client, FilesConfig, KafkaConfig, LoginCounter, ServeError, Server,
    Wiring,
};

/// The interface over the scripted service, on a port of its own.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    pub(super) grpc: SocketAddr,
    pub(super) token: ApiToken,
    pub(super) auditor: ApiToken,
    pub(super) fake: Arc<Fake>,
    pub(super) logins: Arc<LoginCounter>,
    pub(super) runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), ServeError>>>,
}

/// What came back over a bare connection.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Node {
    pub(super) fn start(config: ApiConfig) -> Self {
        Self::start_with(config, &FilesConfig::default(), &KafkaConfig::default(), None)
    }

    /// With other ways in, over the script or over a replica.
    pub(super) fn start_with(
        mut config: ApiConfig,
        files: &FilesConfig,
        kafka: &KafkaConfig,
        replica: Option<Replica>,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let fake = Arc::new(Fake::new(replica));
        let token = ApiToken::generate(&mut ChaCha20Rng::seed_from_u64(7));
        let auditor = ApiToken::generate(&mut ChaCha20Rng::seed_from_u64(9));
        let wiring = wiring(Arc::clone(&fake), &token, &auditor);
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.grpc = Some(config.listen);
        let logins = Arc::clone(&wiring.logins);
        let mut server = runtime.block_on(Server::bind(config, wiring)).unwrap();
        runtime.block_on(async {
            server.take_in_files(files).unwrap();
            server.take_in_records(kafka, 1).unwrap();
        });
        let (address, grpc) = (server.local_addr(), server.grpc_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = runtime.spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            grpc,
            token,
            auditor,
            fake,
            logins,
            runtime,
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// Why another server over the same service does not start.
    pub(super) fn refuses(&self, config: ApiConfig) -> ServeError {
        let wiring = wiring(Arc::clone(&self.fake), &self.token, &self.auditor);
        self.runtime.block_on(Server::bind(config, wiring)).err().unwrap()
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address), &self.token).unwrap()
    }

    /// A bare connection that does not wait for ever.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The head of a request with the right token, without the empty line at its end.
    pub(super) fn head(&self, line: &str, headers: &[&str]) -> String {
        let token = self.token.to_hex();
        let mut head = format!(
            "{line} HTTP/1.1\r\nHost: hansa\r\nConnection: close\r\nAuthorization: Bearer {}\r\n",
            *token
        );
        headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
        head
    }

    /// Sends a request with the right token and reads the answer.
    pub(super) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Raw {
        let head = self.head(line, headers);
        let mut stream = self.connect();
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        Raw::read(&mut stream)
    }

    /// Posts a message of the script.
    pub(super) fn post(&self, script: &str) -> Raw {
        self.ask("POST /v1/payments", &["Content-Type: application/xml"], script)
    }

    /// Waits until a call hangs.
    pub(super) fn entered(&self) {
        self.wait(&self.fake.entered);
    }

    /// Lets one call go on.
    pub(super) fn release(&self) {
        self.fake.gate.add_permits(1);
    }

    /// Waits until a call that hung has finished.
    pub(super) fn finished(&self) {
        self.wait(&self.fake.finished);
    }

    fn wait(&self, semaphore: &Semaphore) {
        let acquire = async { tokio::time::timeout(PATIENCE, semaphore.acquire()).await };
        self.runtime.block_on(acquire).unwrap().unwrap().forget();
    }

    /// Waits until a metric's value is as wanted.
    pub(super) fn until_metric(&self, name: &str, holds: impl Fn(f64) -> bool) {
        let client = self.client();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = client.metrics().unwrap();
            let value =
                metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
            if value.is_some_and(&holds) {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {value:?}");
            std::thread::yield_now();
        }
    }

    /// Tells the server to stop.
    pub(super) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// How the server ended.
    pub(super) fn ended(&mut self) -> Result<(), ServeError> {
        let running = self.running.take().unwrap();
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, running).await }).unwrap().unwrap()
    }
}

fn wiring(service: Arc<Fake>, token: &ApiToken, auditor: &ApiToken) -> Wiring {
    let mut registry = Registry::default();
    let metrics = ApiMetrics::register(&mut registry);
    Wiring {
        service,
        token: token.clone(),
        auditor: Some(auditor.clone()),
        registry: Arc::new(registry),
        beside: None,
        metrics,
        logins: Arc::default(),
    }
}

impl Raw {
    pub(super) fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer in {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
