//! How the tables come to be.

use wharf_sdk::{Migration, Migrations};

/// The same statements on both databases, but for what makes the ledger append-only.
pub(crate) fn migrations() -> Migrations {
    Migrations::new()
        .then(Migration::expand("0001_customers").both(CUSTOMERS))
        .then(Migration::expand("0002_invoices").both(INVOICES))
        .then(
            Migration::expand("0003_ledger")
                .both(LEDGER)
                .sqlite(APPEND_ONLY_SQLITE)
                .postgres(APPEND_ONLY_POSTGRES),
        )
}

const CUSTOMERS: &str = "
    CREATE TABLE customer (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, owner TEXT, name TEXT NOT NULL, email TEXT, currency TEXT NOT NULL,
        tax_bps INTEGER, version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL);
    CREATE UNIQUE INDEX customer_owner ON customer (tenant, owner);
    CREATE TABLE plan (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, code TEXT NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL,
        price BIGINT NOT NULL, period TEXT NOT NULL, trial_days INTEGER NOT NULL, meters TEXT NOT NULL, is_active BOOLEAN NOT NULL,
        created BIGINT NOT NULL);
    CREATE UNIQUE INDEX plan_code ON plan (tenant, code);
    CREATE TABLE subscription (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer (id), owner TEXT,
        plan TEXT NOT NULL REFERENCES plan (id), currency TEXT NOT NULL, period TEXT NOT NULL, status TEXT NOT NULL, anchor TEXT NOT NULL,
        trial_end TEXT, ends_on TEXT, paused_for TEXT, period_no INTEGER NOT NULL, next_due TEXT, version BIGINT NOT NULL,
        created BIGINT NOT NULL, updated BIGINT NOT NULL);
    CREATE INDEX subscription_customer ON subscription (tenant, customer);
    CREATE INDEX subscription_due ON subscription (next_due);
    CREATE TABLE phase (tenant TEXT NOT NULL, subscription TEXT NOT NULL REFERENCES subscription (id), from_day TEXT NOT NULL,
        plan TEXT NOT NULL REFERENCES plan (id), is_charged BOOLEAN NOT NULL, PRIMARY KEY (subscription, from_day));
    CREATE TABLE usage_record (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, subscription TEXT NOT NULL REFERENCES subscription (id),
        dedup TEXT NOT NULL, feature TEXT NOT NULL, quantity BIGINT NOT NULL, day TEXT NOT NULL, at BIGINT NOT NULL, invoice TEXT);
    CREATE UNIQUE INDEX usage_once ON usage_record (tenant, subscription, dedup);
    CREATE INDEX usage_open ON usage_record (subscription, invoice, day)";

const INVOICES: &str = "
    CREATE TABLE sequence (tenant TEXT NOT NULL, name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (tenant, name));
    CREATE TABLE invoice (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, number BIGINT, customer TEXT NOT NULL REFERENCES customer (id), owner TEXT,
        subscription TEXT REFERENCES subscription (id), period_start TEXT, period_end TEXT, currency TEXT NOT NULL, subtotal BIGINT NOT NULL,
        tax_bps INTEGER NOT NULL, tax BIGINT NOT NULL, total BIGINT NOT NULL, refunded BIGINT NOT NULL, state TEXT NOT NULL, due TEXT,
        issued BIGINT, version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
        CHECK (refunded >= 0 AND refunded <= total));
    CREATE UNIQUE INDEX invoice_number ON invoice (tenant, number);
    CREATE UNIQUE INDEX invoice_period ON invoice (subscription, period_start);
    CREATE INDEX invoice_owner ON invoice (tenant, owner);
    CREATE INDEX invoice_due ON invoice (state, due);
    CREATE TABLE invoice_line (tenant TEXT NOT NULL, invoice TEXT NOT NULL REFERENCES invoice (id), position INTEGER NOT NULL,
        kind TEXT NOT NULL, description TEXT NOT NULL, quantity BIGINT NOT NULL, amount BIGINT NOT NULL, tax BIGINT NOT NULL,
        from_day TEXT, to_day TEXT, PRIMARY KEY (invoice, position));
    CREATE TABLE payment (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, invoice TEXT NOT NULL REFERENCES invoice (id), owner TEXT,
        provider TEXT NOT NULL, currency TEXT NOT NULL, amount BIGINT NOT NULL, refunded BIGINT NOT NULL, state TEXT NOT NULL, method TEXT,
        reference TEXT, failure TEXT, tries INTEGER NOT NULL, next_try BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
        CHECK (refunded >= 0 AND refunded <= amount));
    CREATE UNIQUE INDEX payment_pending ON payment (invoice) WHERE state = 'pending';
    CREATE INDEX payment_invoice ON payment (tenant, invoice);
    CREATE INDEX payment_next ON payment (state, next_try);
    CREATE TABLE refund (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, payment TEXT NOT NULL REFERENCES payment (id), invoice TEXT NOT NULL,
        owner TEXT, currency TEXT NOT NULL, amount BIGINT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, reference TEXT, failure TEXT,
        tries INTEGER NOT NULL, next_try BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, CHECK (amount > 0));
    CREATE INDEX refund_payment ON refund (tenant, payment);
    CREATE INDEX refund_next ON refund (state, next_try);
    CREATE TABLE webhook_receipt (tenant TEXT NOT NULL, provider TEXT NOT NULL, event TEXT NOT NULL, signed BIGINT NOT NULL,
        kind TEXT NOT NULL, received BIGINT NOT NULL, PRIMARY KEY (provider, event));
    CREATE TABLE invoice_run (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, through TEXT NOT NULL, state TEXT NOT NULL, issued BIGINT NOT NULL,
        created BIGINT NOT NULL, finished BIGINT)";

/// One source is posted once: a second entry of the same kind for the same account is refused.
const LEDGER: &str = "
    CREATE TABLE ledger_entry (tenant TEXT NOT NULL, id TEXT PRIMARY KEY, posting TEXT NOT NULL, kind TEXT NOT NULL, account TEXT NOT NULL,
        currency TEXT NOT NULL, amount BIGINT NOT NULL, invoice TEXT NOT NULL, source TEXT NOT NULL, at BIGINT NOT NULL, CHECK (amount <> 0));
    CREATE UNIQUE INDEX ledger_once ON ledger_entry (tenant, kind, source, account);
    CREATE INDEX ledger_posting ON ledger_entry (posting);
    CREATE INDEX ledger_account ON ledger_entry (tenant, currency, account)";

const APPEND_ONLY_SQLITE: &str = "
    CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: post a transaction that takes the other one back'); END;
    CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: post a transaction that takes the other one back'); END";

const APPEND_ONLY_POSTGRES: &str = "
    CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the ledger is append-only: post a transaction that takes the other one back'; END $$;
    CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_append_only()";
