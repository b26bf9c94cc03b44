-- What operators want of modules.
CREATE TABLE desired (
    module TEXT PRIMARY KEY,
    enabled BOOLEAN,
    pinned_version TEXT,
    pinned_hash TEXT
);

-- What each node says about each module.
CREATE TABLE report (
    module TEXT NOT NULL,
    node TEXT NOT NULL,
    state TEXT NOT NULL,
    version TEXT NOT NULL,
    generation BIGINT NOT NULL,
    since TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (module, node)
);

-- The last sign of life of each node.
CREATE TABLE node (
    name TEXT PRIMARY KEY,
    pid BIGINT NOT NULL,
    version TEXT NOT NULL,
    started TEXT NOT NULL,
    at TEXT NOT NULL
);

-- Named epochs: what all nodes must know.
CREATE TABLE epoch (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Secrets of modules, sealed with the master key of that id.
CREATE TABLE secret (
    module TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    changed TEXT NOT NULL,
    PRIMARY KEY (module, name)
);
