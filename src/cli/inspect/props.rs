//! The properties in a node.

use std::sync::Arc;

use super::super::out::Stop;
use super::Trees;
use super::node;
use super::report::Report;
use super::value::{Printer, escaped, type_name};
use crate::format::id::Nid;
use crate::format::property::PropertyRecord;
use crate::ltp::Properties;
use crate::store::names::{Name, NameMap};
use crate::store::props::Props;
use crate::store::{Store, codepage};

/// Shows the properties, in the order stored.
pub(super) fn show(trees: &Trees<'_>, path: &[Nid], report: &mut Report) -> Result<(), Stop> {
    let node = node::find(trees, path)?;
    node::head(trees, &node, report)?;
    let properties = match trees.survive(Properties::open(&trees.ndb, node.nid, node.data, node.subnodes))? {
        Ok(properties) => properties,
        Err(error) => return node::bytes(trees, &node, &error, report),
    };
    let names = names(trees)?;
    report.title(format!("Properties: {}", properties.records().len()))?;
    let values = trees.survive(properties.values())?.unwrap_or_default();
    let codepage = Props::new(node.nid, values, Arc::clone(&names), None, codepage::WINDOWS_1252).codepage();
    let printer = Printer::new(&trees.ndb, report.is_whole(), codepage);
    for record in properties.records() {
        let value = value(trees, &properties, record, printer)?;
        report.line(format!("  {:#06x}  {:<12}  {value}", record.id, type_name(record.kind)))?;
        if let Some(name) = names.name(record.id) {
            report.line(format!("          = {}", name_of(name)))?;
        }
    }
    Ok(())
}

/// The store's named properties; none where they cannot be read.
fn names(trees: &Trees<'_>) -> Result<Arc<NameMap>, Stop> {
    let store = trees.survive(Store::from_ndb(Arc::clone(&trees.ndb)))?;
    Ok(store.map(|store| Arc::clone(store.names())).unwrap_or_default())
}

fn value(trees: &Trees<'_>, properties: &Properties<'_>, record: &PropertyRecord, printer: Printer<'_>) -> Result<String, Stop> {
    Ok(match trees.survive(properties.value(record))? {
        Ok(Some(value)) => trees.survive(printer.print(&value))?.unwrap_or_else(|error| format!("cannot be read: {error}")),
        Ok(None) => format!("cannot be read: {:#x} is no value of this type", record.value.0),
        Err(error) => format!("cannot be read: {error}"),
    })
}

fn name_of(name: &Name) -> String {
    match name {
        Name::Lid(set, lid) => format!("{lid:#06x} of {set}"),
        Name::Text(set, text) => format!("\"{}\" of {set}", escaped(text)),
    }
}
