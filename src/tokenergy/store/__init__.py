"""Where what happened is kept: the ledger in SQLite."""
