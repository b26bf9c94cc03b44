//! The same over gRPC.

use serde_json::json;
use tonic::{Code, Request};
use wharf_proto::billing::v1 as pb;
use wharf_proto::billing::v1::customers_client::CustomersClient;
use wharf_proto::billing::v1::invoices_client::InvoicesClient;
use wharf_proto::billing::v1::ledger_client::LedgerClient;
use wharf_proto::billing::v1::plans_client::PlansClient;
use wharf_proto::billing::v1::subscriptions_client::SubscriptionsClient;
use wharf_proto::billing::v1::usage_client::UsageClient;
use wharf_testing::TestHost;

use super::{all_is_well, host, months_ago};
use crate::text;

async fn subscription(host: &TestHost) -> pb::Subscription {
    let root = host.as_user("root").grpc();
    let new = pb::CreateCustomerRequest {
        name: "Ada".to_owned(),
        owner: Some("user:ada".to_owned()),
        currency: "EUR".to_owned(),
        ..pb::CreateCustomerRequest::default()
    };
    let customer = CustomersClient::new(root.clone()).create(new).await.unwrap().into_inner();
    let plan = pb::CreatePlanRequest {
        code: "pro".to_owned(),
        name: "Pro".to_owned(),
        currency: "EUR".to_owned(),
        price: 1000,
        interval: pb::Interval::Month.into(),
        meters: vec![pb::Meter {
            feature: "posts".to_owned(),
            per: 0,
            tiers: vec![pb::Tier { up_to: None, price: 7 }],
        }],
        ..pb::CreatePlanRequest::default()
    };
    let plan = PlansClient::new(root.clone()).create(plan).await.unwrap().into_inner();
    let new = pb::CreateSubscriptionRequest {
        customer: customer.id,
        plan: plan.id,
        start: Some(months_ago(1).to_string()),
    };
    SubscriptionsClient::new(root).create(new).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_of_usage_is_billed_paid_and_given_back() {
    let host = host().await;
    let subscription = subscription(&host).await;
    let root = host.as_user("root").grpc();
    let record = |key: usize| pb::UsageRecord {
        subscription: subscription.id.clone(),
        feature: "posts".to_owned(),
        quantity: 1,
        key: format!("k{key}"),
        at: Some(prost_types::Timestamp {
            seconds: text::parse_time(&format!("{}T00:00:00Z", months_ago(1))).unwrap() / 1000,
            nanos: 0,
        }),
    };
    let records: Vec<_> = (0..250).chain(0..10).map(record).collect();
    let sent = UsageClient::new(root.clone())
        .record(tokio_stream(records))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((sent.accepted, sent.duplicates), (250, 10));
    let asked = pb::UsageSummaryRequest {
        subscription: subscription.id.clone(),
    };
    let summary = UsageClient::new(host.as_user("ada").grpc())
        .summary(asked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(summary.features[0].quantity, 250);

    let mut invoices = InvoicesClient::new(root.clone());
    invoices.run(pb::RunInvoicesRequest::default()).await.unwrap();
    host.settle_events().await;
    let list = invoices.list(pb::ListInvoicesRequest::default()).await.unwrap().into_inner();
    assert_eq!((list.total, list.invoices[0].subtotal), (1, 1000 + 250 * 7));
    let id = list.invoices[0].id.clone();
    let mut own = InvoicesClient::new(host.as_user("ada").grpc());
    let invoice = own.get(pb::GetInvoiceRequest { id: id.clone() }).await.unwrap().into_inner();
    assert_eq!(invoice.lines.len(), 2);
    let pay = pb::PayInvoiceRequest {
        id,
        token: "tok_ok".to_owned(),
    };
    let payment = own.pay(pay).await.unwrap().into_inner();
    host.settle_events().await;
    let payment = own
        .get_payment(pb::GetPaymentRequest { id: payment.id })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(payment.state, "succeeded");

    let refund = pb::RefundRequest {
        payment: payment.id,
        refund_id: text::new_id(),
        amount: Some(100),
        reason: None,
    };
    let first = invoices.refund(refund.clone()).await.unwrap().into_inner();
    let second = invoices.refund(refund.clone()).await.unwrap().into_inner();
    assert_eq!(first.id, second.id);
    let other = pb::RefundRequest {
        amount: Some(200),
        ..refund
    };
    assert_eq!(invoices.refund(other).await.unwrap_err().code(), Code::AlreadyExists);
    host.settle_events().await;

    let mut ledger = LedgerClient::new(root);
    let balance = ledger.trial_balance(pb::TrialBalanceRequest {}).await.unwrap().into_inner();
    let cash = balance.accounts.iter().find(|of| of.account == "cash").unwrap();
    assert_eq!((cash.debit - cash.credit, cash.credit), (invoice.total - 100, 100));
    assert!(ledger.check(pb::CheckLedgerRequest {}).await.unwrap().into_inner().balanced);
    all_is_well(&host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_and_tenants_hold_for_grpc_too() {
    let host = host().await;
    let subscription = subscription(&host).await;
    let get = || pb::GetSubscriptionRequest {
        id: subscription.id.clone(),
    };
    let of = |who: wharf_testing::Caller<'_>| SubscriptionsClient::new(who.grpc());
    assert!(of(host.as_user("ada")).get(get()).await.is_ok());
    for stranger in [
        host.as_user("bob"),
        host.as_user("ada").of_tenant("other"),
        host.as_user("root").of_tenant("other"),
    ] {
        assert_eq!(of(stranger).get(get()).await.unwrap_err().code(), Code::NotFound);
    }
    let list = of(host.as_user("bob"))
        .list(pb::ListSubscriptionsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((list.total, list.subscriptions.len()), (0, 0));
    assert_eq!(
        SubscriptionsClient::new(host.grpc()).get(get()).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let mut plans = PlansClient::new(host.as_user("ada").grpc());
    assert_eq!(
        plans.create(pb::CreatePlanRequest::default()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let mut root = PlansClient::new(host.as_user("root").grpc());
    assert_eq!(
        root.create(pb::CreatePlanRequest::default()).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let mut customers = CustomersClient::new(host.as_user("root").grpc());
    let stale = pb::UpdateCustomerRequest {
        id: subscription.customer.clone(),
        version: 7,
        name: Some("Eve".to_owned()),
        ..pb::UpdateCustomerRequest::default()
    };
    assert_eq!(customers.update(stale).await.unwrap_err().code(), Code::Aborted);
    assert_eq!(json!(subscription.status), "active");
}

/// A stream of what there is.
fn tokio_stream(records: Vec<pb::UsageRecord>) -> Request<impl tonic::codegen::tokio_stream::Stream<Item = pb::UsageRecord>> {
    Request::new(tonic::codegen::tokio_stream::iter(records))
}
