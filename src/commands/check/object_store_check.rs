//! Tests whether an object store can be used: reads, writes, and tries the conditions of writes.

use crate::config::settings::ObjectStoreSettings;
use crate::error::AppError;
use crate::objects::{self, ObjectStores};
use crate::sink::stdout;

/// The object that conditions are tried with. It stays.
const PROBE_KEY: &str = "_atlaudit/probe";

/// Tests a store, and says what is good.
///
/// # Errors
/// It cannot be used, or standard output cannot be written.
pub async fn run(settings: &ObjectStoreSettings) -> Result<(), AppError> {
    let client = ObjectStores::new(settings.clone()).client()?;
    objects::check_conditions(&client, PROBE_KEY).await?;
    let text = format!(
        "object store `{}`: objects can be read and written, and the conditions `If-None-Match` \
         and `If-Match` of a write are kept\n",
        client.place()
    );
    Ok(stdout::print(&text)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use url::Url;

    use super::*;
    use crate::config::settings::ConnectionSettings;
    use crate::objects::{CreateOutcome, ObjectClient, ObjectError, SwapOutcome};
    use crate::sandbox::object_server::{ACCESS_KEY, BUCKET, ObjectFault, ObjectServer};

    const PREFIX: &str = "atlassian";

    fn settings(server: &ObjectServer) -> ObjectStoreSettings {
        let variables = [
            ("AWS_ENDPOINT_URL", server.url()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        ObjectStoreSettings {
            url: Url::parse(&format!("s3://{BUCKET}/{PREFIX}")).unwrap(),
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            connection: ConnectionSettings {
                requests_per_minute: None,
                timeout: Duration::from_secs(5),
                retry_for: Duration::from_secs(2),
                max_wait: Duration::from_secs(2),
                ca_file: None,
                proxy: None,
            },
        }
    }

    async fn store() -> (ObjectServer, ObjectClient) {
        let server = ObjectServer::start().await.unwrap();
        let client = ObjectStores::new(settings(&server)).client().unwrap();
        (server, client)
    }

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// Faults after which an object is there all the same, or may be put again.
    fn harmless_faults() -> Vec<Vec<ObjectFault>> {
        use ObjectFault::{Close, DoneThen, DoneThenClose, Pass, Refuse};
        vec![
            vec![],
            vec![DoneThen(500, "InternalError")],
            vec![DoneThen(412, "PreconditionFailed")],
            vec![DoneThen(409, "ConditionalRequestConflict")],
            vec![DoneThenClose],
            vec![Close],
            vec![Refuse(409, "ConditionalRequestConflict")],
            vec![Refuse(412, "PreconditionFailed")],
            vec![Refuse(500, "InternalError"), Pass, DoneThen(503, "SlowDown")],
            vec![DoneThenClose, Close, Refuse(503, "SlowDown")],
        ]
    }

    #[tokio::test]
    async fn an_object_is_created_once_whatever_the_answers_say() {
        for faults in harmless_faults() {
            let (server, client) = store().await;
            server.fail_next(faults.clone());
            let created = client.create("a", &bytes("ours")).await.unwrap();
            assert!(matches!(created, CreateOutcome::Created(_)), "{faults:?}");
            assert_eq!(server.object("atlassian/a").unwrap(), b"ours");
            // A later run does it again, and nothing happens.
            let repeated = client.create("a", &bytes("ours")).await.unwrap();
            assert!(matches!(repeated, CreateOutcome::Created(_)));
            let other = client.create("a", &bytes("other")).await.unwrap();
            assert_eq!(other, CreateOutcome::OtherExists);
            assert_eq!(server.object("atlassian/a").unwrap(), b"ours");
        }
    }

    #[tokio::test]
    async fn a_known_version_is_replaced_once_whatever_the_answers_say() {
        for faults in harmless_faults() {
            let (server, client) = store().await;
            client.create("a", &bytes("one")).await.unwrap();
            let first = client.read("a").await.unwrap().unwrap().version;
            server.fail_next(faults.clone());
            let swapped = client.swap("a", &bytes("two"), &first).await.unwrap();
            let SwapOutcome::Swapped(second) = swapped else { panic!("{faults:?}") };
            assert_eq!(server.object("atlassian/a").unwrap(), b"two");
            // One who knows the old version only comes too late.
            let late = client.swap("a", &bytes("three"), &first).await.unwrap();
            assert_eq!(late, SwapOutcome::Lost);
            let third = client.swap("a", &bytes("three"), &second).await.unwrap();
            assert!(matches!(third, SwapOutcome::Swapped(_)));
        }
    }

    #[tokio::test]
    async fn of_many_writers_one_wins_each_round() {
        let (server, client) = store().await;
        client.create("a", &bytes("0")).await.unwrap();
        for round in 0..20 {
            let known = client.read("a").await.unwrap().unwrap().version;
            let writers = (0..4).map(|writer| {
                let (client, known) = (client.clone(), known.clone());
                let content = bytes(&format!("{round} by {writer}"));
                tokio::spawn(async move { client.swap("a", &content, &known).await.unwrap() })
            });
            let mut won = 0;
            for writer in writers.collect::<Vec<_>>() {
                won += usize::from(matches!(writer.await.unwrap(), SwapOutcome::Swapped(_)));
            }
            assert_eq!(won, 1);
        }
        assert!(server.requests().iter().all(|request| ["GET", "PUT"].contains(&&*request.method)));
    }

    #[tokio::test]
    async fn a_store_that_ignores_conditions_is_refused() {
        let (server, client) = store().await;
        objects::check_conditions(&client, PROBE_KEY).await.unwrap();
        objects::check_conditions(&client, PROBE_KEY).await.unwrap();
        server.ignore_conditions(true);
        let refused = objects::check_conditions(&client, PROBE_KEY).await.unwrap_err();
        assert!(matches!(refused, ObjectError::IgnoresConditions { .. }), "{refused}");
        // Nor do answers that say nothing of a condition make it pass.
        for fault in [ObjectFault::Refuse(503, "SlowDown"), ObjectFault::DoneThenClose] {
            for passed in 0..6 {
                server.clear_faults();
                let passes = std::iter::repeat_n(ObjectFault::Pass, passed);
                server.fail_next(passes.chain([fault.clone()]));
                let refused = objects::check_conditions(&client, PROBE_KEY).await;
                assert!(refused.is_err(), "{fault:?} after {passed}");
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_succeed_is_not_repeated_and_says_what_is_missing() {
        use ObjectFault::{Redirect, Refuse};
        for (fault, words, answer, code) in [
            (
                Refuse(403, "AccessDenied"),
                "the object store refuses GetObject of",
                "AccessDenied",
                4,
            ),
            (Refuse(400, "ExpiredToken"), "GetObject of", "ExpiredToken", 4),
            (Refuse(400, "InvalidRequest"), "GetObject of", "InvalidRequest", 8),
            (Redirect("http://127.0.0.1:1/".to_owned()), "GetObject of", "edirect", 8),
        ] {
            let (server, client) = store().await;
            server.fail_next(std::iter::repeat_n(fault, 50));
            let error = client.read("a").await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.to_string().contains("s3://audit-lake/atlassian/a"), "{error}");
            assert_eq!(error.exit().code(), code, "{error}");
            let why = std::error::Error::source(&error).unwrap().to_string();
            assert!(why.contains(answer) && !why.contains('<'), "{why}");
            assert!(!error.hint().is_empty());
        }
        let (server, _) = store().await;
        let mut wrong = settings(&server);
        wrong.url = Url::parse("s3://other/atlassian").unwrap();
        let error = ObjectStores::new(wrong.clone()).client().unwrap().read("a").await.unwrap_err();
        assert!(error.to_string().contains("the bucket of `s3://other/atlassian/a`"), "{error}");
        for url in ["https://x/y", "s3:///y"] {
            wrong.url = Url::parse(url).unwrap();
            assert!(ObjectStores::new(wrong.clone()).client().is_err(), "{url}");
        }
        wrong.url = Url::parse("s3://audit-lake/x").unwrap();
        wrong.variables = vec![("AWS_ENDPOINT_URL".to_owned(), "http://store.example".to_owned())];
        let error = ObjectStores::new(wrong).client().unwrap_err();
        assert!(error.to_string().contains("not `https`"), "{error}");
    }
}
