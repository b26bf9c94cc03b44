//! `Clients`: OAuth clients, for administrators.

use tonic::{Request, Response, Status};
use wharf_proto::auth::v1::clients_server::Clients;
use wharf_proto::auth::v1::{
    Client as Told, ListClientsRequest, ListClientsResponse, RegisterClientRequest, RegisterClientResponse, RemoveClientRequest,
    RemoveClientResponse,
};
use wharf_proto::pages;
use wharf_sdk::tonic;

use crate::Auth;
use crate::clients::{Client, NewClient};
use crate::revocations::timestamp;

#[tonic::async_trait]
impl Clients for Auth {
    async fn register(&self, request: Request<RegisterClientRequest>) -> Result<Response<RegisterClientResponse>, Status> {
        let asked = request.into_inner();
        let new = NewClient {
            name: asked.name,
            confidential: asked.confidential,
            redirect_uris: asked.redirect_uris,
            scopes: asked.scopes,
        };
        let (client, secret) = self.inner.register(new).await?;
        Ok(Response::new(RegisterClientResponse {
            client: Some(told(client)),
            client_secret: secret.map(|secret| secret.reveal().to_owned()).unwrap_or_default(),
        }))
    }

    async fn list(&self, request: Request<ListClientsRequest>) -> Result<Response<ListClientsResponse>, Status> {
        let asked = request.into_inner();
        let mut clients = self.inner.clients().await?;
        if !asked.page_token.is_empty() {
            let last = Client::place(&asked.page_token);
            clients.retain(|client| Client::place(&client.id) > last);
        }
        let next_page_token = pages::cut(&mut clients, pages::size(asked.page_size), |client| client.id.clone());
        Ok(Response::new(ListClientsResponse {
            clients: clients.into_iter().map(told).collect(),
            next_page_token,
        }))
    }

    async fn remove(&self, request: Request<RemoveClientRequest>) -> Result<Response<RemoveClientResponse>, Status> {
        self.inner.remove_client(&request.into_inner().id).await?;
        Ok(Response::new(RemoveClientResponse {}))
    }
}

fn told(client: Client) -> Told {
    Told {
        confidential: client.is_confidential(),
        id: client.id,
        name: client.name,
        redirect_uris: client.redirect_uris,
        scopes: client.scopes,
        created: (!client.built_in).then(|| timestamp(client.created_at)),
        built_in: client.built_in,
    }
}
