//! Owns where things come from: `source`, the actor's side; `organization`; and `observer`, the product that saw it.

use std::net::IpAddr;

use crate::model::event::{Client, Event};
use crate::model::json::write::Fields;

/// The fields of `source`. What stands where an address belongs may be anything, and an index refuses a document
/// whose `ip` is none.
pub fn append(client: &Client<'_>, ip: Option<&str>, out: &mut Fields<'_>) {
    out.maybe("address", client.ip.as_deref());
    out.maybe("ip", ip);
    out.object("geo", |out| {
        out.maybe("country_name", client.country.as_deref());
        out.maybe("region_name", client.region.as_deref());
        out.maybe("city_name", client.city.as_deref());
    });
}

/// The IP address that `text` is, spaces around it aside.
pub fn ip(text: &str) -> Option<&str> {
    let text = text.trim();
    text.parse::<IpAddr>().is_ok().then_some(text)
}

/// The fields of `organization`. Its name is known only where it is a target, as the events of an organization often have.
pub fn append_organization(event: &Event<'_>, out: &mut Fields<'_>) {
    let Some(id) = event.source.org_id else {
        return;
    };
    out.text("id", id);
    let same =
        |kind: Option<&str>, of: Option<&str>| kind == Some("organization") && of == Some(id);
    let mut targets = event.targets.iter();
    let own = targets.find(|target| same(target.kind.as_deref(), target.id.as_deref()));
    out.maybe("name", own.and_then(|target| target.name.as_deref()));
}

/// The fields of `observer`: what makes the events. What carries them, as this program, is none (ECS, observer).
pub fn append_observer(event: &Event<'_>, out: &mut Fields<'_>) {
    out.constant(r#""vendor":"Atlassian""#);
    out.maybe("product", event.product.as_deref());
    // The name that the user gave it.
    out.text("name", event.source.name);
    out.maybe("hostname", event.source.site.and_then(host));
}

/// The host of a site; a Data Center's may have a port and a path behind it.
pub fn host(site: &str) -> Option<&str> {
    let site = site.split('/').next()?;
    let host = match site.strip_prefix('[') {
        Some(ip) => ip.split(']').next()?,
        None => site.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}
