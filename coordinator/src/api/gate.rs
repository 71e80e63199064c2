//! Who may call, and when.

use tonic::service::Interceptor;
use tonic::{Request, Status};
use umbra_proto::error::{Reason, refuse};
use umbra_runtime::token::Token;

use crate::standing::Post;

/// Refuses calls without the coordinator's token, if it has one, and calls that only a leader answers.
#[derive(Clone)]
pub struct Gate {
    token: Option<Token>,
    /// Absent for services that answer without leading, too.
    post: Option<Post>,
}

impl Gate {
    /// With a token, or without for everybody who can connect.
    pub fn new(token: Option<Token>, post: Post) -> Self {
        Self { token, post: Some(post) }
    }

    /// The same for a service that tells leaders from followers by itself.
    #[must_use]
    pub fn for_followers(&self) -> Self {
        Self { token: self.token.clone(), post: None }
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
        self.post.as_ref().map_or(Ok(()), Post::check)?;
        Ok(request)
    }
}
