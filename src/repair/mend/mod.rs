//! Objects made whole: every node that a finding names is written anew from what can still be read.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Deed, Options, Plan};
use crate::damage::{Code, Finding, Result};
use crate::ndb::write::Transaction;
use crate::store::Store;

/// What is to be done, and what nothing is done about.
#[derive(Debug, Default)]
pub(super) struct Mended {
    pub(super) deeds: BTreeMap<Deed, BTreeSet<Code>>,
    pub(super) left: Vec<Finding>,
}

/// Works out what becomes of each node that the findings name.
pub(super) fn plan(_store: &Store, findings: &[Finding], _options: Options) -> Result<Mended> {
    Ok(Mended { deeds: BTreeMap::new(), left: findings.to_vec() })
}

/// Makes a plan's changes in a transaction.
pub(super) fn build(_store: &Store, _transaction: &mut Transaction<'_>, _plan: &Plan) -> Result<()> {
    Ok(())
}
