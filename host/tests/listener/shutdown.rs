//! Ending with grace, and what is cut when grace is over.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Notify;
use wharf_host::http::body::Body;
use wharf_host::http::server::Shutdown;

use crate::rig::*;

fn gated(gate: &Arc<Notify>, entered: &Arc<Notify>) -> Vec<wharf_host::http::routes::Mounted> {
    let (gate, entered) = (Arc::clone(gate), Arc::clone(entered));
    let endpoint = endpoint(move |_, _: Request<Body>, _| {
        let (gate, entered) = (Arc::clone(&gate), Arc::clone(&entered));
        async move {
            entered.notify_one();
            gate.notified().await;
            Response::new(Body::full("done"))
        }
    });
    vec![module("slow", vec![route("GET", "/")], endpoint)]
}

fn get() -> Request<ClientBody> {
    Request::builder().uri("/slow").body(full("")).unwrap()
}

#[tokio::test]
async fn requests_in_flight_end_and_new_ones_are_refused() {
    for http2 in [false, true] {
        let (gate, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let host = Host::start(gated(&gate, &entered));
        let address = host.address;
        let idle = Client::http1(address).await;
        let mut client = if http2 {
            Client::http2(address).await
        } else {
            Client::http1(address).await
        };
        let call = tokio::spawn(async move { whole(client.send(get()).await).await });
        soon("the request arrives", entered.notified()).await;
        until("both connections are open", || (host.server.connections() == 2).then_some(())).await;
        let gateway = Arc::clone(&host.gateway);
        assert_eq!(gateway.in_flight(), 1);
        let shutdown = tokio::spawn(host.server.shutdown(SOON));
        // The listening socket closes before the request is let go on.
        soon("no more connections", async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {}
        })
        .await;
        gate.notify_one();
        let (status, _, body) = soon("the answer", call).await.unwrap();
        assert_eq!((status.as_u16(), body.as_str()), (200, "done"));
        assert_eq!(soon("the shutdown", shutdown).await.unwrap(), Shutdown { cut: 0, connections: 0 });
        assert_eq!(gateway.in_flight(), 0);
        drop(idle);
    }
}

#[tokio::test]
async fn what_is_left_at_the_deadline_is_cut_and_counted() {
    for http2 in [false, true] {
        let (gate, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let host = Host::start(gated(&gate, &entered));
        let mut client = if http2 {
            Client::http2(host.address).await
        } else {
            Client::http1(host.address).await
        };
        let call = tokio::spawn(async move { client.try_send(get()).await.map(|_| ()) });
        soon("the request arrives", entered.notified()).await;
        let gateway = Arc::clone(&host.gateway);
        let report = soon("the shutdown", host.server.shutdown(Duration::from_millis(50))).await;
        assert_eq!(report, Shutdown { cut: 1, connections: 1 });
        assert!(soon("the client hears", call).await.unwrap().is_err());
        assert_eq!(gateway.in_flight(), 0);
    }
}
