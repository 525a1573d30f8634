//! The organizations API's errors, from the code catalogue in jira.js' models; the sentences are composed.

use crate::sandbox::reply::AdminError;

/// A cursor that is malformed or expired.
pub const INVALID_CURSOR: AdminError = AdminError {
    status: 400,
    code: "ADMIN-400-1",
    title: "Invalid page cursor",
    detail: "The page cursor is not valid.",
};

/// The server fails, and says no more.
pub const INTERNAL: AdminError = AdminError {
    status: 500,
    code: "ADMIN-500-1",
    title: "Internal error",
    detail: "Something went wrong.",
};

/// `from` or `to` is no number.
pub const INVALID_TIME: AdminError = AdminError {
    status: 400,
    code: "ADMIN-400-3",
    title: "Invalid time date",
    detail: "Times are epoch milliseconds.",
};

/// Another parameter is wrong.
pub const INVALID_SYNTAX: AdminError = AdminError {
    status: 400,
    code: "ADMIN-400-19",
    title: "Invalid request syntax",
    detail: "A query parameter is not valid.",
};

/// No such path.
pub const UNKNOWN_RESOURCE: AdminError = AdminError {
    status: 404,
    code: "ADMIN-404-1",
    title: "Not found",
    detail: "There is nothing at this path.",
};

/// No such organization.
pub const UNKNOWN_ORG: AdminError = AdminError {
    status: 404,
    code: "ADMIN-404-2",
    title: "Not found",
    detail: "Organization not found.",
};

/// Not a GET.
pub const METHOD_NOT_ALLOWED: AdminError = AdminError {
    status: 405,
    code: "ADMIN-405-1",
    title: "Method not allowed",
    detail: "Only GET is served here.",
};

/// Too many requests.
pub const RATE_LIMITED: AdminError = AdminError {
    status: 429,
    code: "ADMIN-429-1",
    title: "Rate limit exceeded",
    detail: "Too many requests for this path; wait for the limit to reset.",
};
