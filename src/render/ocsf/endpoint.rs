//! The objects `src_endpoint` and `dst_endpoint`: from where, and on which host.

use crate::model::address::{NetworkAddress, host_and_port};
use crate::model::event::{Event, EventClient};
use crate::model::json::write::ObjectWriter;

/// From where the actor came. Empty without an IP address (an endpoint must have one, or a name,
/// and a place alone is neither), and in a class without the object.
#[derive(Debug, Clone, Copy)]
pub struct SrcEndpoint<'e> {
    /// Its address.
    pub ip: Option<&'e str>,
    /// The code of the country.
    pub country: Option<&'e str>,
    client: &'e EventClient<'e>,
}

impl<'e> SrcEndpoint<'e> {
    /// From where `event` was done.
    pub fn of(event: &'e Event<'e>) -> SrcEndpoint<'e> {
        let client = &event.client;
        let ip = client.ip.as_deref();
        let country = client.country_code.filter(|_| ip.is_some());
        SrcEndpoint { ip, country, client }
    }

    /// Writes the fields of the object.
    ///
    /// A country is a code of two letters there; the name that the source gives is in `unmapped`
    /// where it says more.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        let client = self.client;
        let Some(ip) = self.ip else {
            return;
        };
        out.text("ip", ip);
        if let Some(port) = client.port {
            out.integer("port", i64::from(port));
        }
        out.texts("intermediate_ips", client.forwarded.iter().map(|ip| &**ip));
        out.object("location", |out| {
            out.text_if_some("country", self.country);
            out.text_if_some("region", client.region.as_deref());
            out.text_if_some("city", client.city.as_deref());
        });
    }
}

/// The host of the site, which the source collects from; for a Data Center with its port and path.
#[derive(Debug, Clone, Copy)]
pub struct DstEndpoint<'e> {
    /// Its name.
    pub hostname: Option<&'e str>,
    /// Its address, where the site is named by that.
    pub ip: Option<&'e str>,
    port: Option<u16>,
}

impl<'e> DstEndpoint<'e> {
    /// The host of the site of `event`, if it has one.
    pub fn of(event: &'e Event<'_>) -> Option<DstEndpoint<'e>> {
        let authority = event.source.site?.split('/').next()?;
        if let Some(NetworkAddress { ip, port }) = NetworkAddress::parse(authority) {
            return Some(DstEndpoint { hostname: None, ip: Some(ip), port });
        }
        let (host, port) = host_and_port(authority);
        (!host.is_empty()).then_some(DstEndpoint { hostname: Some(host), ip: None, port })
    }

    /// Writes the fields of the object.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("hostname", self.hostname);
        out.text_if_some("ip", self.ip);
        if let Some(port) = self.port {
            out.integer("port", i64::from(port));
        }
    }
}
