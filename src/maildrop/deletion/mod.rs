//! Policy of deletions, without input or output: how many may go without a question, and what became of them.

pub(crate) mod limit;
pub(crate) mod verdict;
