//! A body before it is delivered: pieces that go out one after the other, and are not copied into one for it.

use bytes::Bytes;

/// The pieces, none of them empty. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct BodyChunks(Vec<Bytes>);

impl BodyChunks {
    /// Bytes of all together.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All in one, which copies when there are several.
    pub fn concat(&self) -> Bytes {
        match self.0.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            several => Bytes::from(several.concat()),
        }
    }
}

impl From<String> for BodyChunks {
    fn from(text: String) -> Self {
        Self::from_iter([Bytes::from(text)])
    }
}

impl FromIterator<Bytes> for BodyChunks {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Self(
            pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
        )
    }
}

impl IntoIterator for BodyChunks {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
