-- Named epochs: what all nodes must know.
CREATE TABLE epoch (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- Secrets of modules, sealed with the master key of that id.
CREATE TABLE secret (
    module TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    changed TEXT NOT NULL,
    PRIMARY KEY (module, name)
) STRICT;
