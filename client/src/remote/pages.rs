//! Lists that come page by page.

use crate::exit::Failure;

/// The most of one page.
const MOST: usize = 500;

/// All of a list, or so many of it: `page` asks for a page of a size after a token, and answers with the next token,
/// which is empty at the end.
///
/// # Errors
/// What `page` fails with.
pub async fn listed<T>(
    limit: usize,
    mut page: impl AsyncFnMut(u32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    let mut token = String::new();
    while all.len() < limit {
        let size = (limit - all.len()).min(MOST) as u32;
        let (some, next) = page(size, token).await?;
        all.extend(some);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    all.truncate(limit);
    Ok(all)
}
