//! A thin client of the REST API: JSON in and out, problem documents as errors.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};

use crate::{
    args::Global,
    error::{CliError, exit_of_status},
};

/// A server.
pub struct Remote {
    base: String,
    token: Option<String>,
    client: Client,
}

impl Remote {
    /// The server that the options name, if they do.
    ///
    /// # Errors
    /// `server.url`.
    pub fn of(global: &Global) -> Result<Option<Self>, CliError> {
        let Some(url) = &global.server else {
            return Ok(None);
        };
        let wrong = || {
            CliError::usage(
                "server.url",
                format!("`{url}` is not the address of a server"),
                "Write it as http://127.0.0.1:7878.",
            )
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong());
        }
        // Followed redirects could carry the token to another host.
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|_| wrong())?;
        Ok(Some(Self {
            base: format!("{}/api/v1", url.trim_end_matches('/')),
            token: global.token.clone(),
            client,
        }))
    }

    /// GET with query parameters; those without a value are left out.
    ///
    /// # Errors
    /// `server.unreachable`; what the server says.
    pub async fn get(&self, path: &[&str], query: &[(&str, Option<String>)]) -> Result<Value, CliError> {
        let request = self.request(Method::GET, path, query)?;
        self.send(request).await
    }

    /// Any other method, with a body.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send_json(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, CliError> {
        let request = self.request(method, path, &[])?.json(body);
        self.send(request).await
    }

    /// POST.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, CliError> {
        self.send_json(Method::POST, path, body).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn delete(&self, path: &[&str]) -> Result<Value, CliError> {
        self.send_json(Method::DELETE, path, &Value::Object(Map::new()))
            .await
    }

    /// A request for a path whose parts are encoded, since task ids hold slashes.
    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, Option<String>)],
    ) -> Result<RequestBuilder, CliError> {
        let url = |error: &dyn std::fmt::Display| CliError::usage("server.url", error, "Check --server.");
        let mut address = reqwest::Url::parse(&self.base).map_err(|error| url(&error))?;
        address
            .path_segments_mut()
            .map_err(|()| url(&"it cannot be a base"))?
            .pop_if_empty()
            .extend(path);
        for (key, value) in query {
            if let Some(value) = value {
                address.query_pairs_mut().append_pair(key, value);
            }
        }
        let request = self.client.request(method, address);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, CliError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return response.json().await.map_err(|error| self.unreachable(&error));
        }
        Err(problem(status, response).await)
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        CliError::failed(
            "server.unreachable",
            format!(
                "{} does not answer: {}",
                self.base,
                error.to_string().replace(&self.base, "")
            ),
            "Start it with `twinloom up`, or check --server.",
        )
    }
}

async fn problem(status: StatusCode, response: Response) -> CliError {
    let body: Value = response.json().await.unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let exit = exit_of_status(status.as_u16());
    let code = if text("code").is_empty() {
        "server.answer".to_owned()
    } else {
        text("code")
    };
    let detail = if text("detail").is_empty() {
        status.to_string()
    } else {
        text("detail")
    };
    let mut error = CliError::new(exit, &code, detail, text("hint"));
    error.details = body
        .get("errors")
        .filter(|errors| !errors.is_null())
        .cloned()
        .map(Box::new);
    error
}
