-- What operators want of modules.
CREATE TABLE desired (
    module TEXT PRIMARY KEY,
    enabled INTEGER,
    pinned_version TEXT,
    pinned_hash TEXT
) STRICT;

-- What each node says about each module.
CREATE TABLE report (
    module TEXT NOT NULL,
    node TEXT NOT NULL,
    state TEXT NOT NULL,
    version TEXT NOT NULL,
    generation INTEGER NOT NULL,
    since TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (module, node)
) STRICT;

-- The last sign of life of each node.
CREATE TABLE node (
    name TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
