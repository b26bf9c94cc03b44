//! `wharf.blog.v1.Posts`.

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::Code;
use wharf_proto::blog::v1 as pb;
use wharf_proto::blog::v1::posts_client::PostsClient;

use super::{builder, draft, host, published, titled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_goes_through_its_life_over_grpc() {
    let host = host().await;
    let mut ada = PostsClient::new(host.as_user("ada").grpc());
    let mut anyone = PostsClient::new(host.grpc());
    let new = pb::CreatePostRequest {
        title: "Over the wire".to_owned(),
        body: "Some *text*".to_owned(),
        tags: vec!["Wire".to_owned()],
        ..Default::default()
    };
    let post = ada.create(new.clone()).await.unwrap().into_inner();
    assert_eq!(
        (post.slug.as_str(), post.version, post.state()),
        ("over-the-wire", 1, pb::PostState::Draft)
    );
    assert_eq!(anyone.create(new).await.unwrap_err().code(), Code::Unauthenticated);
    let by_id = pb::GetPostRequest {
        id: post.id.clone(),
        ..Default::default()
    };
    assert_eq!(anyone.get(by_id.clone()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        ada.get(by_id.clone()).await.unwrap().into_inner().html,
        "<p>Some <em>text</em></p>\n"
    );

    let publish = |version| pb::PublishPostRequest {
        id: post.id.clone(),
        version,
        at: None,
    };
    assert_eq!(ada.publish(publish(9)).await.unwrap_err().code(), Code::Aborted);
    assert_eq!(
        ada.publish(publish(1)).await.unwrap().into_inner().state(),
        pb::PostState::Published
    );
    assert_eq!(ada.publish(publish(0)).await.unwrap_err().code(), Code::FailedPrecondition);
    let update = pb::UpdatePostRequest {
        id: post.id.clone(),
        version: 2,
        title: Some("On the wire".to_owned()),
        ..Default::default()
    };
    let updated = ada.update(update.clone()).await.unwrap().into_inner();
    assert_eq!(
        (updated.body.as_str(), updated.tags.as_slice()),
        ("Some *text*", &["wire".to_owned()][..])
    );
    assert_eq!(
        PostsClient::new(host.as_user("bob").grpc())
            .update(update)
            .await
            .unwrap_err()
            .code(),
        Code::PermissionDenied
    );
    let by_slug = pb::GetPostRequest {
        slug: "over-the-wire".to_owned(),
        ..Default::default()
    };
    assert_eq!(anyone.get(by_slug).await.unwrap().into_inner().slug, "on-the-wire");
    let listed = anyone.list(pb::ListPostsRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.posts.len(), listed.posts[0].body.as_str()), (1, ""));
    let search = pb::SearchPostsRequest {
        query: "wire".to_owned(),
        ..Default::default()
    };
    assert_eq!(anyone.search(search).await.unwrap().into_inner().results.len(), 1);

    let archive = pb::ArchivePostRequest {
        id: post.id.clone(),
        version: 0,
    };
    assert_eq!(ada.archive(archive).await.unwrap().into_inner().state(), pb::PostState::Archived);
    let delete = pb::DeletePostRequest {
        id: post.id.clone(),
        version: 4,
    };
    ada.delete(delete).await.unwrap();
    assert_eq!(ada.get(by_id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_an_invalid_argument() {
    let host = host().await;
    let mut ada = PostsClient::new(host.as_user("ada").grpc());
    let get = pb::GetPostRequest {
        id: "nonsense".to_owned(),
        ..Default::default()
    };
    assert_eq!(ada.get(get).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(
        ada.create(pb::CreatePostRequest::default()).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let list = pb::ListPostsRequest {
        page_token: "nonsense".to_owned(),
        ..Default::default()
    };
    assert_eq!(ada.list(list).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(
        ada.watch(pb::WatchPostsRequest {}).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watchers_hear_of_every_change_on_every_node_and_of_their_tenant_alone() {
    let one = host().await;
    let two = builder().beside(&one, "two").start().await;
    let mut here = PostsClient::new(one.as_user("ed").grpc());
    let mut there = PostsClient::new(two.as_user("ed").grpc());
    let mut feeds = Vec::new();
    for client in [&mut here, &mut there] {
        feeds.push(client.watch(pb::WatchPostsRequest {}).await.unwrap().into_inner());
    }
    let mut elsewhere = PostsClient::new(one.as_user("ed").of_tenant("acme").grpc());
    let mut theirs = elsewhere.watch(pb::WatchPostsRequest {}).await.unwrap().into_inner();
    published(&one.as_user("ada"), &titled("From one")).await;
    draft(&two.as_user("ada"), &titled("From two")).await;
    draft(&one.as_user("ed").of_tenant("acme"), &titled("From acme")).await;
    for feed in &mut feeds {
        let mut heard = Vec::new();
        while heard.len() < 3 {
            let next = tokio::time::timeout(Duration::from_secs(10), feed.next()).await;
            let change = next.expect("a change within ten seconds").unwrap().unwrap();
            heard.push((change.slug, change.what));
        }
        heard.sort();
        let expected = [("from-one", "create"), ("from-one", "publish"), ("from-two", "create")];
        assert_eq!(heard, expected.map(|(slug, what)| (slug.to_owned(), what.to_owned())));
    }
    let first = tokio::time::timeout(Duration::from_secs(10), theirs.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!((first.slug.as_str(), first.version), ("from-acme", 1));
}
