//! The user's lists of addresses with a tag, and which of them an address stands on.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ipnet::IpNet;

pub use crate::config::detection::{AddressListSettings, AddressTag};
use crate::filter::parse_network;
use crate::model::text::visible;
use crate::model::time::{Timestamp, from_epoch};

const MAX_FILE_BYTES: u64 = 64 << 20;
const MAX_ENTRIES: usize = 2_000_000;
const MAX_LINE_BYTES: u64 = 4096;
/// Of a wrong line, in a message.
const SHOWN_CHARS: usize = 60;

/// All lists, for look-ups: 20 bytes an entry.
#[derive(Debug, Default)]
pub struct AddressLists {
    lists: Vec<AddressListSummary>,
    /// Sorted. The number is that of the list.
    entries: Vec<(IpNet, u8)>,
    /// The lengths of prefixes that occur, the longest first: of IPv4, of IPv6.
    lengths: [Vec<u8>; 2],
}

/// What is known of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressListSummary {
    /// What alerts call it.
    pub name: String,
    /// What its addresses are.
    pub tag: AddressTag,
    /// How many different addresses and networks it has.
    pub entries: usize,
    /// When its file was last changed.
    pub modified: Option<Timestamp>,
}

/// A list that has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedAddress<'l> {
    /// What alerts call the list.
    pub list: &'l str,
    /// What its addresses are.
    pub tag: AddressTag,
    /// The entry that has the address.
    pub range: IpNet,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressListError {
    /// The file cannot be read.
    #[error("cannot read `{path}` of the address list `{list}`", path = path.display())]
    Unreadable {
        /// The list's name.
        list: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry is neither address nor network.
    #[error("{place} of the address list `{list}`: `{text}` is no address and no network")]
    Invalid {
        /// The list's name.
        list: String,
        /// File and line, or which of its `ranges`.
        place: String,
        /// The start of the entry.
        text: String,
    },
    /// There are too many lists, or entries in all of them.
    #[error("the address list `{list}` is one too many: at most {most} are possible")]
    TooMany {
        /// The list with which there are too many.
        list: String,
        /// How many are possible, and of what.
        most: &'static str,
    },
}

impl AddressListError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            AddressListError::Unreadable { .. } => {
                "check its path and permissions; it must be a regular file of at most 64 MiB"
            }
            AddressListError::Invalid { .. } => {
                "write one address (`203.0.113.80`, `2001:db8::1`) or CIDR network \
                 (`203.0.113.0/24`) in a line; in a CSV file it must be the first column"
            }
            AddressListError::TooMany { .. } => {
                "leave out lists that overlap, or merge their addresses into networks"
            }
        }
    }
}

impl AddressLists {
    /// Reads all lists and their files.
    pub fn load(settings: &[AddressListSettings]) -> Result<AddressLists, AddressListError> {
        let mut loaded = AddressLists::default();
        for list in settings {
            loaded.add(list)?;
        }
        loaded.entries.sort_unstable();
        loaded.entries.dedup();
        loaded.entries.shrink_to_fit();
        let mut has_length = [[false; 129]; 2];
        for (range, list) in &loaded.entries {
            if let Some(list) = loaded.lists.get_mut(usize::from(*list)) {
                list.entries += 1;
            }
            has_length[family(&range.addr())][usize::from(range.prefix_len())] = true;
        }
        loaded.lengths = has_length
            .map(|has| (0..=128).rev().filter(|length| has[usize::from(*length)]).collect());
        Ok(loaded)
    }

    /// The lists, as they were configured.
    pub fn lists(&self) -> &[AddressListSummary] {
        &self.lists
    }

    /// Whether there is no list.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether a list with this tag has `address`.
    pub fn has_tag(&self, address: IpAddr, tag: AddressTag) -> bool {
        self.find(address).any(|listed| listed.tag == tag)
    }

    /// The entries that `address` is in, the longest prefix first.
    pub fn find(&self, address: IpAddr) -> impl Iterator<Item = ListedAddress<'_>> {
        let address = address.to_canonical();
        let lengths = self.lengths[family(&address)].iter();
        lengths.filter_map(move |length| Some(IpNet::new(address, *length).ok()?.trunc())).flat_map(
            |range| {
                let start = self.entries.partition_point(|(entry, _)| *entry < range);
                let rest = self.entries.get(start..).unwrap_or_default();
                let same = rest.iter().take_while(move |(entry, _)| *entry == range);
                same.filter_map(|(range, list)| {
                    let list = self.lists.get(usize::from(*list))?;
                    Some(ListedAddress { list: &list.name, tag: list.tag, range: *range })
                })
            },
        )
    }

    fn add(&mut self, settings: &AddressListSettings) -> Result<(), AddressListError> {
        let list = || settings.name.clone();
        let number = u8::try_from(self.lists.len())
            .map_err(|_| AddressListError::TooMany { list: list(), most: "256 lists" })?;
        for (index, text) in settings.ranges.iter().enumerate() {
            let place = || format!("range {}", index + 1);
            self.insert(number, parse_network(text), settings, place, text)?;
        }
        let mut modified = None;
        if let Some(path) = &settings.path {
            let unreadable =
                |source| AddressListError::Unreadable { list: list(), path: path.clone(), source };
            let mut file = ListFile::open(path).map_err(unreadable)?;
            modified = file.modified;
            while let Some(text) = file.next_entry().map_err(unreadable)? {
                let network = parse_network(&text);
                if network.is_none() && file.is_header {
                    continue;
                }
                let place = || format!("{}:{}", path.display(), file.line);
                self.insert(number, network, settings, place, &text)?;
            }
        }
        let AddressListSettings { name, tag, .. } = settings;
        let summary = AddressListSummary { name: name.clone(), tag: *tag, entries: 0, modified };
        self.lists.push(summary);
        Ok(())
    }

    fn insert(
        &mut self,
        number: u8,
        network: Option<IpNet>,
        settings: &AddressListSettings,
        place: impl Fn() -> String,
        text: &str,
    ) -> Result<(), AddressListError> {
        let list = || settings.name.clone();
        let network = network.ok_or_else(|| AddressListError::Invalid {
            list: list(),
            place: place(),
            text: visible(&text.chars().take(SHOWN_CHARS).collect::<String>()),
        })?;
        if self.entries.len() == MAX_ENTRIES {
            return Err(AddressListError::TooMany { list: list(), most: "2,000,000 entries" });
        }
        self.entries.push((network.trunc(), number));
        Ok(())
    }
}

fn family(address: &IpAddr) -> usize {
    usize::from(address.is_ipv6())
}

/// A file with one entry in a line.
struct ListFile {
    reader: BufReader<io::Take<File>>,
    modified: Option<Timestamp>,
    /// The number of the line that was read last.
    line: usize,
    /// Whether that line may name the columns of a CSV file.
    is_header: bool,
    has_entries: bool,
}

impl ListFile {
    fn open(path: &Path) -> io::Result<ListFile> {
        let about = path.metadata()?;
        if !about.is_file() || about.len() > MAX_FILE_BYTES {
            return Err(io::Error::other("not a regular file, or larger than 64 MiB"));
        }
        let modified = about.modified()?.duration_since(UNIX_EPOCH).ok();
        let modified = modified.and_then(|since| i64::try_from(since.as_secs()).ok());
        Ok(ListFile {
            reader: BufReader::new(File::open(path)?.take(MAX_FILE_BYTES)),
            modified: modified.and_then(|seconds| from_epoch(seconds, 0)),
            line: 0,
            is_header: false,
            has_entries: false,
        })
    }

    /// The next line's first column, without comments. None at the end.
    fn next_entry(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_start_matches('\u{feff}');
            let text = text.split(['#', ';']).next().unwrap_or_default();
            let (entry, is_csv) =
                text.split_once(',').map_or((text, false), |(first, _)| (first, true));
            let entry = entry.trim().trim_matches('"').trim();
            if !entry.is_empty() || is_csv {
                self.is_header = is_csv && !self.has_entries;
                self.has_entries = true;
                return Ok(Some(entry.to_owned()));
            }
        }
    }
}

#[cfg(test)]
#[path = "address_lists_tests.rs"]
mod tests;
