//! The flows that join the siblings, one a file, each readable as a page.

pub(crate) mod again;
pub(crate) mod cases;
pub(crate) mod customers;
pub(crate) mod decided;
pub(crate) mod exceptions;
pub(crate) mod frame;
pub(crate) mod governance;
pub(crate) mod inbound;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod model;
pub(crate) mod outbound;
pub(crate) mod payment;
pub(crate) mod proving;
pub(crate) mod records;
pub(crate) mod rescreen;
pub(crate) mod retraction;
pub(crate) mod start;
pub(crate) mod tags;
pub(crate) mod without_quorum;
pub(crate) mod witness;
