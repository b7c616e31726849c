//! What a message says: dates, and later text, parts and names for people.
