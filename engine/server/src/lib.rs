//! The scheduler as a server: REST API under `/api/v1`, live events, accounts, metrics, and the web UI.
