//! Examples beside rules: events that match, and events that do not.
