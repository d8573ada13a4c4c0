//! Signed and encrypted mail: what `openssl` makes, stored as Outlook stores it, is what it accepts again.
//!
//! Keys and certificates are made anew for each run.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use support::forge;

const PSTFS: &str = env!("CARGO_BIN_EXE_pstfs");

/// What is signed: lines of all kinds that a careless writer changes.
const ENTITY: &str = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u{fc}\u{df}e \r\n\r\n\t\r\n--=_pstfs_0m_x\r\n.\r\nFrom here on\r\n\r\n";

/// A folder with a key and its certificate; `None`, said aloud, where there is no openssl; an error in CI.
fn place() -> Option<tempfile::TempDir> {
    if let Err(error) = Command::new("openssl").arg("version").output() {
        assert!(std::env::var_os("CI").is_none(), "openssl: {error}; signed mail cannot be tested");
        eprintln!("skipped: openssl: {error}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let subject = ["-subj", "/CN=Ann/emailAddress=ann@example.com", "-addext", "extendedKeyUsage=emailProtection"];
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"];
    openssl(folder.path(), &[&request[..], &subject].concat());
    fs::write(folder.path().join("entity"), ENTITY).unwrap();
    Some(folder)
}

fn openssl(folder: &Path, args: &[&str]) -> Output {
    let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The document of a message of this class whose one attachment has these bytes, in each format.
fn documents(folder: &Path, class: &str, kind: &str, content: &[u8]) {
    let hex = content.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let recipe = format!(
        "folder Inbox class=IPF.Note role=inbox\n  note subject=Secret class={class} from=\"Ann <ann@example.com>\" to=\"Bob <bob@example.com>\" body=\"as Outlook shows it\"\n    attach smime.p7m mime={kind} hex={hex}\n"
    );
    for format in Format::ALL {
        let store = folder.join(format!("{}.pst", forge::format_name(format)));
        fs::write(&store, forge::store(format, Cipher::Permute, &forge::Recipe::parse(&recipe))).unwrap();
        let output = Command::new(PSTFS).args(["cat", "-o", "names=subject"]).arg(&store).arg("Inbox/Secret.eml").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::write(folder.join(format!("{}.eml", forge::format_name(format))), output.stdout).unwrap();
    }
}

/// Passes the name of each format's document.
fn each_document(mut check: impl FnMut(&str)) {
    Format::ALL.into_iter().for_each(|format| check(&format!("{}.eml", forge::format_name(format))));
}

const SIGN: [&str; 7] = ["cms", "-sign", "-signer", "cert.pem", "-inkey", "key.pem", "-in"];
const VERIFY: [&str; 7] = ["cms", "-verify", "-CAfile", "cert.pem", "-out", "verified", "-in"];

/// The header's fields that do not speak of content are the message's own, and not stored.
fn stored(entity: &[u8]) -> Vec<u8> {
    let text = entity.strip_prefix(b"MIME-Version: 1.0\r\n").or(entity.strip_prefix(b"MIME-Version: 1.0\n"));
    text.expect("openssl begins so").to_vec()
}

#[test]
fn a_clear_signed_message_verifies() {
    let Some(folder) = place() else { return };
    let folder = folder.path();
    for (line_ends, class) in [("-crlfeol", "IPM.Note.SMIME.MultipartSigned"), ("-nosmimecap", "IPM.Note.SMIME")] {
        openssl(folder, &[&SIGN[..], &["entity", "-md", "sha256", line_ends, "-out", "signed"]].concat());
        let entity = stored(&fs::read(folder.join("signed")).unwrap());
        documents(folder, class, "multipart/signed", &entity);
        each_document(|document| {
            openssl(folder, &[&VERIFY[..], &[document]].concat());
            assert_eq!(fs::read(folder.join("verified")).unwrap(), ENTITY.as_bytes(), "{document}");
            let bytes = fs::read(folder.join(document)).unwrap();
            assert!(bytes.ends_with(&entity[entity.len() - 1000..]), "{document}: not the bytes that were stored");
        });
    }
}

/// The judge must be able to say no.
#[test]
fn one_changed_letter_does_not_verify() {
    let Some(folder) = place() else { return };
    let folder = folder.path();
    openssl(folder, &[&SIGN[..], &["entity", "-out", "signed"]].concat());
    let entity = String::from_utf8(stored(&fs::read(folder.join("signed")).unwrap())).unwrap().replace("From here", "From Here");
    documents(folder, "IPM.Note.SMIME.MultipartSigned", "multipart/signed", entity.as_bytes());
    each_document(|document| {
        let output = Command::new("openssl").args(VERIFY).arg(document).current_dir(folder).output().unwrap();
        assert!(!output.status.success(), "{document} verifies");
    });
}

#[test]
fn an_opaque_signed_message_verifies() {
    let Some(folder) = place() else { return };
    let folder = folder.path();
    openssl(folder, &[&SIGN[..], &["entity", "-nodetach", "-binary", "-outform", "DER", "-out", "signed"]].concat());
    documents(folder, "IPM.Note.SMIME", "application/pkcs7-mime", &fs::read(folder.join("signed")).unwrap());
    each_document(|document| {
        openssl(folder, &[&VERIFY[..], &[document]].concat());
        assert_eq!(fs::read(folder.join("verified")).unwrap(), ENTITY.as_bytes(), "{document}");
    });
}

#[test]
fn an_encrypted_message_decrypts() {
    let Some(folder) = place() else { return };
    let folder = folder.path();
    for (cipher, kind) in [("-aes256", "enveloped-data"), ("-aes-256-gcm", "authEnveloped-data")] {
        openssl(folder, &["cms", "-encrypt", "-binary", cipher, "-in", "entity", "-outform", "DER", "-out", "encrypted", "cert.pem"]);
        documents(folder, "IPM.Note.SMIME", "application/pkcs7-mime", &fs::read(folder.join("encrypted")).unwrap());
        each_document(|document| {
            let text = fs::read_to_string(folder.join(document)).unwrap();
            assert!(text.contains(&format!("smime-type={kind};")), "{text}");
            openssl(folder, &["cms", "-decrypt", "-recip", "cert.pem", "-inkey", "key.pem", "-out", "decrypted", "-in", document]);
            assert_eq!(fs::read(folder.join("decrypted")).unwrap(), ENTITY.as_bytes(), "{document}");
        });
    }
}
