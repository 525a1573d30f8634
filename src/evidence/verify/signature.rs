//! Owns the checking of the signature.

use super::{ExportCheck, SIGNATURE, SUMS, Signature};
use crate::evidence::sign::{self, PublicKey};

/// The longest signature that is read; `minisign` allows 8 KiB for its comments.
const MAX_SIGNATURE_BYTES: u64 = 64 * 1024;

impl ExportCheck<'_> {
    /// Checks the signature with `key`.
    pub(super) fn check_signature(&mut self, key: Option<&PublicKey>) -> Signature {
        let is_there = self.listing.files.contains(SIGNATURE);
        let text = match is_there {
            true => super::load::read_limited(&self.dir.join(SIGNATURE), MAX_SIGNATURE_BYTES).ok(),
            false => None,
        };
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        let signer = text.as_deref().and_then(sign::signing_key_id);
        let what = match (key, text) {
            (None, None) if !is_there => return Signature::None,
            (None, _) if signer.is_some() => return Signature::NotChecked(signer),
            (None, _) => "is not a signature as `minisign` writes it".to_owned(),
            (Some(_), None) if !is_there => "is missing: there is no signature to check".to_owned(),
            (Some(_), None) => "cannot be read, or is longer than any signature".to_owned(),
            (Some(key), Some(text)) => {
                let sums = match self.sums {
                    None => None,
                    Some(_) => super::load::read_limited(&self.dir.join(SUMS), super::load::MAX_FILE_BYTES).ok(),
                };
                let Some(sums) = sums else {
                    // That they are missing was told.
                    return Signature::Bad;
                };
                match key.check(&text, &sums) {
                    Ok(says) => {
                        return Signature::Good {
                            key: key.id(),
                            says,
                        };
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        self.findings.add(SIGNATURE, what);
        Signature::Bad
    }
}
