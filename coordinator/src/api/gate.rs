//! Who may call, and when.

use tonic::service::Interceptor;
use tonic::{Request, Status};
use umbra_proto::error::{Reason, refuse};
use umbra_runtime::token::Token;

use crate::board::Board;

/// Refuses calls without the coordinator's token, if it has one, and calls before its state is read.
#[derive(Clone)]
pub struct Gate {
    token: Option<Token>,
    board: Board,
}

impl Gate {
    /// With a token, or without for everybody who can connect.
    pub fn new(token: Option<Token>, board: Board) -> Self {
        Self { token, board }
    }

    fn check_token(&self, request: &Request<()>) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let offered = request.metadata().get("authorization");
        if offered.is_some_and(|value| token.matches_header(value.as_encoded_bytes())) {
            return Ok(());
        }
        let message = match offered {
            None => "the call carries no token: give the coordinator's token file with --token-file",
            Some(_) => "the token is not this coordinator's: give its token file with --token-file",
        };
        Err(refuse(Reason::Unauthenticated, message))
    }
}

impl Interceptor for Gate {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        self.check_token(&request)?;
        if self.board.is_complete() {
            return Ok(request);
        }
        Err(refuse(Reason::Unavailable, "the coordinator is starting: try again in a moment"))
    }
}
