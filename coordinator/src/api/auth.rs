//! Who may call.

use tonic::service::Interceptor;
use tonic::{Request, Status};
use umbra_proto::error::{Reason, refuse};
use umbra_runtime::token::Token;

/// Refuses calls without the coordinator's token, if it has one.
#[derive(Clone)]
pub struct Auth(Option<Token>);

impl Auth {
    /// With a token, or without for everybody who can connect.
    pub fn new(token: Option<Token>) -> Self {
        Self(token)
    }
}

impl Interceptor for Auth {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(token) = &self.0 else { return Ok(request) };
        let offered = request.metadata().get("authorization");
        if offered.is_some_and(|value| token.matches_header(value.as_encoded_bytes())) {
            return Ok(request);
        }
        let message = match offered {
            None => "the call carries no token: give the coordinator's token file with --token-file",
            Some(_) => "the token is not this coordinator's: give its token file with --token-file",
        };
        Err(refuse(Reason::Unauthenticated, message))
    }
}
