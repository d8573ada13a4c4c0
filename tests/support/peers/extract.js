// Lists a store through npm's pst-extractor; see `scripts/peers` for the lines.
const { PSTFile } = require("pst-extractor");
const zlib = require("zlib");
const crc = (bytes) => {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (~sum >>> 0).toString(16).padStart(8, "0");
};
const out = [];
function read(attachment) {
  const stream = attachment.fileInputStream;
  const parts = [];
  if (!stream) return Buffer.alloc(0);
  const block = Buffer.alloc(8176);
  for (let count; (count = stream.read(block)) > 0; ) parts.push(Buffer.from(block.subarray(0, count)));
  return Buffer.concat(parts);
}
function item(message, head) {
  for (let i = 0; i < message.numberOfRecipients; i++) out.push(`to\t${head}\t${message.getRecipient(i).emailAddress}`);
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
    const head = `${path}\t${message.subject}`;
    out.push(`item\t${head}`);
    item(message, head);
  }
  if (here.hasSubfolders) for (const child of here.getSubFolders()) folder(child, `${path}/${child.displayName}`);
}
folder(new PSTFile(process.argv[2]).getRootFolder(), "");
process.stdout.write(out.join("\n") + "\n");
