//! Owns where things come from: `source`, the actor's side; `organization`; and `observer`, the product that saw it.

use crate::model::event::{Event, REMOTE_ADDRESS};
use crate::model::json::write::ObjectWriter;

/// The fields of `source`. `address` takes whatever the source writes there; an index refuses a document whose `ip`
/// is none.
pub fn append(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let client = &event.client;
    let ip = client.ip.as_deref();
    out.text_if_some("address", event.label(REMOTE_ADDRESS).or(ip));
    out.text_if_some("ip", ip);
    if let Some(port) = client.port {
        out.integer("port", i64::from(port));
    }
    out.object("geo", |out| {
        out.text_if_some("country_name", client.country.as_deref());
        out.text_if_some("region_name", client.region.as_deref());
        out.text_if_some("city_name", client.city.as_deref());
    });
}

/// The fields of `organization`. Its name is known only where it is a target, as the events of an organization often have.
pub fn append_organization(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let Some(id) = event.source.org_id else {
        return;
    };
    out.text("id", id);
    let same =
        |kind: Option<&str>, of: Option<&str>| kind == Some("organization") && of == Some(id);
    let mut targets = event.targets.iter();
    let own = targets.find(|target| same(target.kind.as_deref(), target.id.as_deref()));
    out.text_if_some("name", own.and_then(|target| target.name.as_deref()));
}

/// The fields of `observer`: what makes the events. What carries them, as this program, is none (ECS, observer).
pub fn append_observer(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    out.constant(r#""vendor":"Atlassian""#);
    out.text_if_some("product", event.product.as_deref());
    // The name that the user gave it.
    out.text("name", event.source.name);
    out.text_if_some("hostname", event.source.site.and_then(host));
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
