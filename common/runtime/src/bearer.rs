//! What every call to a coordinator carries: the token, and the trace it is part of.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::token::Token;
use crate::traces;

/// Puts the token, if there is one, and the trace into every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// Of a token.
    pub fn new(token: Option<&Token>) -> Self {
        Self(token.map(|token| {
            let mut value = MetadataValue::try_from(token.header())
                .expect("a token is visible ASCII, which a header may hold");
            value.set_sensitive(true);
            value
        }))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        traces::carry(request.metadata_mut());
        Ok(request)
    }
}
