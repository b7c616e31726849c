//! What was learnt and fetched: the index on disk and the bodies in memory.
