//! Signatures, as the program `minisign` makes and checks them. A secret key is never shown, and no
//! error quotes a key or a signature.

use std::fmt;
use std::io::Cursor;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use minisign::{PublicKey as Public, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};
use secrecy::{ExposeSecret as _, SecretString};

use super::folder::SUMS;
use crate::model::time::Timestamp;

/// The first line of a signature, as `minisign` words it; nothing covers that line.
const COMMENT: &str = "signature from minisign secret key";

/// How the key of an encrypted file begins: the algorithm `Ed` and the packing `Sc`, in base64.
const ENCRYPTED: &str = "RWRT";

/// A secret key in its file.
const SECRET_KEY_BYTES: usize = 158;

/// A base64 text of 64 bytes.
const SIGNATURE_CHARS: usize = 88;

/// A secret key, ready to sign.
pub struct SigningKey {
    secret: SecretKey,
    public: Public,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

/// Whether the secret key file `text` asks for a password.
pub fn is_encrypted(text: &str) -> bool {
    let key = text.lines().nth(1).unwrap_or_default();
    key.trim().starts_with(ENCRYPTED)
}

impl SigningKey {
    /// The key of the secret key file `text`, as `minisign -G` makes it; with its password, where
    /// it has one.
    ///
    /// # Errors
    /// It is no such key, or the password is wrong.
    pub fn open(
        text: &SecretString,
        password: Option<&SecretString>,
    ) -> Result<SigningKey, &'static str> {
        let text = text.expose_secret();
        let secret = match (is_encrypted(text), password) {
            (false, _) => unencrypted_key(text).ok_or(NO_SECRET_KEY)?,
            (true, None) => {
                return Err("it is encrypted, and its password is not known");
            }
            (true, Some(password)) => {
                let password = Some(password.expose_secret().to_owned());
                let opened = SecretKeyBox::from(text.to_owned()).into_secret_key(password);
                opened.map_err(|_| "its password is wrong, or it is damaged")?
            }
        };
        let public = Public::from_secret_key(&secret).map_err(|_| NO_SECRET_KEY)?;
        let key = SigningKey { secret, public };
        // Unless its halves belong together, nobody can check what it signs: better known before an
        // export than after it.
        key.sign(b"", Timestamp::UNIX_EPOCH).map_err(|_| "it is damaged")?;
        Ok(key)
    }

    /// The number of the public key, as people name it.
    pub fn id(&self) -> String {
        id(self.public.keynum())
    }

    /// The public key.
    #[cfg(test)]
    pub fn public(&self) -> String {
        self.public.to_base64()
    }

    /// The signature of `sums`, made at `time`.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sign(&self, sums: &[u8], time: Timestamp) -> Result<String, String> {
        let trusted = format!("timestamp:{}\tfile:{SUMS}\thashed", time.timestamp());
        let (public, sums) = (Some(&self.public), Cursor::new(sums));
        let signed = minisign::sign(public, &self.secret, sums, Some(&trusted), Some(COMMENT));
        signed.map(|signature| signature.into_string()).map_err(|error| error.to_string())
    }
}

const NO_SECRET_KEY: &str = "it is not a secret key as `minisign -G` makes it";

/// A key that is not encrypted. `minisign` itself leaves the place of its checksum empty, which the
/// library refuses.
fn unencrypted_key(text: &str) -> Option<SecretKey> {
    let key = text.lines().nth(1)?.trim().trim_end_matches('=');
    let bytes = BASE64_STANDARD_NO_PAD.decode(key).ok()?;
    let is_plain = bytes.starts_with(b"Ed\0\0B2") && bytes.len() == SECRET_KEY_BYTES;
    is_plain.then(|| SecretKey::from_bytes(&bytes).ok())?
}

/// A public key.
#[derive(Debug, Clone)]
pub struct PublicKey(Public);

impl PublicKey {
    /// Reads a public key file's text, or the key alone, as `minisign -P` takes it.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(text: &str) -> Result<PublicKey, &'static str> {
        let text = text.trim();
        let key = match text.contains('\n') {
            true => Public::from_box(PublicKeyBox::from(text.to_owned())),
            false => Public::from_base64(text),
        };
        let key = key.ok().filter(|key| key.to_bytes().starts_with(b"Ed"));
        let no_key = "it is not a public key as `minisign -G` makes it";
        key.map(PublicKey).ok_or(no_key)
    }

    /// Its number, as people name it.
    pub fn id(&self) -> String {
        id(self.0.keynum())
    }

    /// Checks that `signature` is this key's of `sums`; gives what it says of itself.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, signature: &str, sums: &[u8]) -> Result<String, String> {
        let parsed = parse_signature(signature)?;
        if parsed.keynum() != self.0.keynum() {
            let made = id(parsed.keynum());
            let what = format!("it was made with the key {made}, not with {}", self.id());
            return Err(what);
        }
        minisign::verify(&self.0, &parsed, Cursor::new(sums), true, false, true)
            .map_err(|_| "it is not this key's signature of SHA256SUMS as it is".to_owned())?;
        if parsed.untrusted_comment().is_ok_and(|comment| comment != COMMENT) {
            let what = "its first line is not `minisign`'s own; no signature covers that line";
            return Err(what.to_owned());
        }
        parsed.trusted_comment().map_err(|_| NO_SIGNATURE.to_owned())
    }
}

const NO_SIGNATURE: &str = "it is not a signature as `minisign` writes it";

/// Reads a signature, and nothing that is not written as `minisign` writes it.
fn parse_signature(text: &str) -> Result<SignatureBox, &'static str> {
    // The library takes the length of the last line for granted.
    let last = text.lines().nth(3).unwrap_or_default();
    let is_whole = last.len() == SIGNATURE_CHARS && last.ends_with("==");
    let parsed = SignatureBox::from_string(text).ok().filter(|_| is_whole);
    // Only with a readable comment its own writing cannot fail.
    let is_same =
        |parsed: &SignatureBox| parsed.trusted_comment().is_ok() && parsed.to_string() == text;
    parsed.filter(is_same).ok_or(NO_SIGNATURE)
}

/// The key that a signature says it was made with; `None` if it is not one.
pub fn signing_key_id(signature: &str) -> Option<String> {
    parse_signature(signature).ok().map(|signature| id(signature.keynum()))
}

/// A key's number as `minisign` shows it: its bytes are the lowest first.
fn id(number: &[u8]) -> String {
    let bytes: Vec<u8> = number.iter().rev().copied().collect();
    crate::model::text::hex(&bytes).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::test_export::SECRET;

    /// Of [`SECRET`].
    const PUBLIC: &str = "RWQVIWpc8Ygur8FKbo98i+TPFC1KxridtX0LBF7MEtsw95DqSSbb+LIZ";

    fn key() -> SigningKey {
        SigningKey::open(&SECRET.into(), None).unwrap()
    }

    #[test]
    fn a_key_of_minisign_signs_and_is_never_shown() {
        let key = key();
        assert_eq!(key.public(), PUBLIC);
        assert_eq!(key.id(), "AF2E88F15C6A2115");
        assert_eq!(format!("{key:?}"), "SigningKey(AF2E88F15C6A2115)");
        let signature = key.sign(b"sums", Timestamp::UNIX_EPOCH).unwrap();
        let public = PublicKey::read(PUBLIC).unwrap();
        let said = public.check(&signature, b"sums").unwrap();
        assert_eq!(said, "timestamp:0\tfile:SHA256SUMS\thashed");
        assert!(public.check(&signature, b"other").is_err());
        assert_eq!(signing_key_id(&signature), Some(public.id()));
        let file = format!("untrusted comment: minisign public key AF2E88F15C6A2115\n{PUBLIC}\n");
        assert_eq!(PublicKey::read(&file).unwrap().id(), public.id());
    }

    #[test]
    fn every_changed_byte_of_a_signature_is_found() {
        let signature = key().sign(b"sums", Timestamp::UNIX_EPOCH).unwrap();
        let public = PublicKey::read(PUBLIC).unwrap();
        for at in 0..signature.len() {
            let mut other = signature.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(public.check(&other, b"sums").is_err(), "{at}: {other}");
        }
        for end in 0..signature.len() {
            assert!(public.check(&signature[..end], b"sums").is_err(), "{end}");
        }
        for more in ["\n", "x", " "] {
            assert!(public.check(&format!("{signature}{more}"), b"sums").is_err());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_a_word_of_it() {
        let broken = SECRET.replace("cgYAC", "AAAAA");
        for bad in ["", "x\ny\n", PUBLIC, &SECRET[..100], &broken] {
            let error = SigningKey::open(&bad.into(), None).unwrap_err().to_string();
            assert!(error.starts_with("it is"), "{error}");
        }
        for bad in ["", "x", &PUBLIC[1..], SECRET, &PUBLIC.replace('R', "S")] {
            assert!(PublicKey::read(bad).is_err(), "{bad}");
        }
        let encrypted = SECRET.replace("RWQAAEIy", "RWRTY0Iy");
        let error = SigningKey::open(&encrypted.into(), None).unwrap_err();
        assert_eq!(error.to_string(), "it is encrypted, and its password is not known");
    }
}
