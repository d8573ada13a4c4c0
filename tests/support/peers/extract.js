// Lists a store through npm's pst-extractor; see `scripts/peers` for the lines.
const { PSTFile } = require("pst-extractor");
const crc = (bytes) => {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (~sum >>> 0).toString(16).padStart(8, "0");
};
const out = [];
// A text that may hold what divides a line from the next, or its parts.
const escaped = (text) => String(text).replace(/[\\\t\n\r]/g, (char) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[char]);
function read(attachment) {
  const stream = attachment.fileInputStream;
  const parts = [];
  if (!stream) return Buffer.alloc(0);
  const block = Buffer.alloc(8176);
  for (let count; (count = stream.read(block)) > 0; ) parts.push(Buffer.from(block.subarray(0, count)));
  return Buffer.concat(parts);
}
const hex = (number) => number.toString(16).padStart(4, "0");
function item(message, head) {
  const entries = [...message.pstTableItems].map(([id, entry]) => hex(id) + hex(entry.entryValueType)).sort();
  out.push(`types\t${head}\t${entries.length}\t${crc(Buffer.from(entries.join("")))}`);
  for (let i = 0; i < message.numberOfRecipients; i++) out.push(`to\t${head}\t${escaped(message.getRecipient(i).emailAddress)}`);
  for (let i = 0; i < message.numberOfAttachments; i++) {
    const attachment = message.getAttachment(i);
    if (attachment.attachMethod !== 1) continue;
    const bytes = read(attachment);
    out.push(`file\t${head}\t${bytes.length}\t${crc(bytes)}`);
  }
}
function folder(here, path) {
  out.push(`folder\t${path}`);
  for (let message; here.contentCount > 0 && (message = here.getNextChild()); ) {
    const head = `${path}\t${escaped(message.subject)}`;
    out.push(`item\t${head}`);
    item(message, head);
  }
  if (here.hasSubfolders) for (const child of here.getSubFolders()) folder(child, `${path}/${escaped(child.displayName)}`);
}
folder(new PSTFile(process.argv[2]).getRootFolder(), "");
process.stdout.write(out.join("\n") + "\n");
