//! Owns the hashes, and how a person checks them.

use std::io;

use super::html::HtmlPage;
use super::report_texts;
use crate::evidence::manifest::{FileEntry, LinesEntry, Manifest};

/// Files that are listed.
const MAX_FILES: usize = 200;

/// The section.
pub fn write(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    page.raw(
        "<section id=check><h2>The files and how to check them</h2><p>This page is a summary for people. The evidence is the \
         files beside it: <code>events/</code> holds the events, each with its record as it was served, <code>pages/</code> every \
         answer and its hash, <code>manifest.json</code> all of what is said here, and <code>SHA256SUMS</code> the hash of \
         each file, this page and the manifest among them.</p><ol class=steps>\
         <li>In this folder, run <code>sha256sum -c SHA256SUMS</code> (on a Mac <code>shasum -a 256 -c SHA256SUMS</code>). \
         Every line must end in <b>OK</b>. This shows that the files are those that the sums are of.\
         <li>If there is a <code>SHA256SUMS.minisig</code>, run <code>minisign -V -p KEY.pub -m SHA256SUMS</code> with the \
         public key of whoever made the export, received by another way than this folder. This shows who vouches for the sums.\
         <li>Run <code>atlaudit verify FOLDER</code>. It makes every number, hash and chain again from the files, this page \
         too, and names what differs.</ol>",
    )?;
    files(page, &manifest.files)?;
    chains(page, manifest)?;
    page.raw("</section>")
}

fn files(page: &mut HtmlPage<'_>, files: &[FileEntry]) -> io::Result<()> {
    let is_body = |file: &&FileEntry| file.file.starts_with("bodies/");
    let (bodies, others) = files.iter().partition::<Vec<_>, _>(is_body);
    page.raw(
        "<h3>Files</h3><table class=\"plain hashes\"><thead><tr><th>File<th class=n>Bytes<th>SHA-256</thead><tbody>",
    )?;
    for file in others.iter().take(MAX_FILES) {
        page.put(
            "<tr><td class=d>{}<td class=n>{}<td><code class=hash>{}</code>",
            &[&file.file, &file.bytes, &file.sha256],
        )?;
    }
    page.raw("</tbody></table>")?;
    let more = others.len().saturating_sub(MAX_FILES) as u64;
    if more > 0 {
        page.put(
            "<p class=rest>{} more in <code>manifest.json</code>.</p>",
            &[&more],
        )?;
    }
    if !bodies.is_empty() {
        let bytes = bodies
            .iter()
            .fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
        page.put(
            "<p class=rest>And {} of answers under <code>bodies/</code>, {} in all, by hash in <code>manifest.json</code>.</p>",
            &[&report_texts::counted_noun(bodies.len() as u64, "body", "bodies"), &report_texts::size(bytes)],
        )?;
    }
    page.raw(
        "<p class=rest>The hashes of <code>manifest.json</code>, <code>README.txt</code> and this page are in \
         <code>SHA256SUMS</code>: none of them can hold its own.</p>",
    )
}

fn chains(page: &mut HtmlPage<'_>, manifest: &Manifest) -> io::Result<()> {
    page.raw(
        "<h3>Chains</h3><p>The hash at the end of a chain covers each line of its file and their order. For events the time of \
         receipt is left out, so that two exports of the same window of the same data end in the same hash.</p>\
         <table class=\"plain hashes\"><thead><tr><th>Chain of<th class=n>Lines<th>Ends in</thead><tbody>",
    )?;
    for source in &manifest.sources {
        for entry in [&source.events, &source.pages] {
            let LinesEntry {
                file, lines, chain, ..
            } = entry;
            page.put(
                "<tr><td class=d>{}<td class=n>{}<td><code class=hash>{}</code>",
                &[file, lines, chain],
            )?;
        }
    }
    page.raw("</tbody></table>")
}
