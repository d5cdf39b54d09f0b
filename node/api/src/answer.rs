//! In what form a message is answered where the caller cannot ask for one.

use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::service::Service;

/// In what form a message is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerForm {
    /// The scheme's status report, XML.
    #[default]
    #[serde(rename = "pacs.002")]
    Report,
    /// The JSON of the HTTP interface.
    Json,
}

impl AnswerForm {
    /// Screens the payments of a message, or those at `places` in it, and answers in this form with what the outside may
    /// see.
    pub(crate) async fn answer(
        self,
        service: &dyn Service,
        message: Vec<u8>,
        places: Option<Vec<usize>>,
    ) -> Result<Vec<u8>, Problem> {
        if self == Self::Report {
            return service.report(message, places).await.map(String::into_bytes);
        }
        let submission = match places {
            None => service.submit(message).await?,
            Some(places) => service.submit_part(message, places).await?,
        };
        serde_json::to_vec(&submission.outward())
            .map_err(|error| Problem::internal(format!("the answer is no JSON: {error}")))
    }
}
