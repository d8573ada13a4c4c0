// Writes what npm's pst-extractor gives of each message as a file of its own: its properties by name, bodies, attachments.
const { PSTFile } = require("pst-extractor");
const fs = require("fs");
const path = require("path");
const out = process.argv[3];
let count = 0;
function read(attachment) {
  const stream = attachment.fileInputStream;
  const parts = [];
  if (!stream) return Buffer.alloc(0);
  const block = Buffer.alloc(8176);
  for (let size; (size = stream.read(block)) > 0; ) parts.push(Buffer.from(block.subarray(0, size)));
  return Buffer.concat(parts);
}
function getters(object) {
  const found = {};
  for (let proto = object; proto && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const [name, about] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      if (!about.get || name in found) continue;
      try {
        const value = object[name];
        if (["string", "number", "boolean"].includes(typeof value) || value instanceof Date) found[name] = value;
      } catch { /* what it cannot give is what is measured */ }
    }
  }
  return found;
}
function item(message) {
  const number = String(count++).padStart(4, "0");
  const people = [];
  for (let i = 0; i < message.numberOfRecipients; i++) people.push(getters(message.getRecipient(i)));
  fs.writeFileSync(path.join(out, `${number}.json`), JSON.stringify({ ...getters(message), people }, null, 1));
  for (let i = 0; i < message.numberOfAttachments; i++) {
    const attachment = message.getAttachment(i);
    const inner = attachment.embeddedPSTMessage;
    if (inner) item(inner);
    fs.writeFileSync(path.join(out, `${number}-${i}`), Buffer.concat([Buffer.from(`${attachment.longFilename}\n`), read(attachment)]));
  }
}
function folder(here) {
  for (let message; here.contentCount > 0 && (message = here.getNextChild()); ) {
    try {
      item(message);
    } catch { /* one message that fails hides no other */ }
  }
  if (here.hasSubfolders) for (const child of here.getSubFolders()) folder(child);
}
folder(new PSTFile(process.argv[2]).getRootFolder());
