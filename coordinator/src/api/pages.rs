//! Pages of lists: the token is the last name of the page before.

use tonic::Status;
use umbra_proto::error::bad_field;

/// The number of entries of a page: 50 unless asked for, 500 at most.
pub fn page_size(asked: u32) -> usize {
    match asked {
        0 => 50,
        asked => asked.min(500) as usize,
    }
}

/// The page of `items` after the one named by `token`, and the token of the next.
///
/// # Errors
/// A field violation for a token that no page gave.
pub fn page<T: Clone>(
    items: &[T],
    name: impl Fn(&T) -> &str,
    size: u32,
    token: &str,
) -> Result<(Vec<T>, String), Status> {
    let start = if token.is_empty() {
        0
    } else {
        let last = items.iter().position(|item| name(item) == token);
        last.ok_or_else(|| bad_field("page_token", "it is not one of this list: start without one"))? + 1
    };
    let end = items.len().min(start + page_size(size));
    let next = if end < items.len() { name(&items[end - 1]).to_owned() } else { String::new() };
    Ok((items[start..end].to_vec(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_the_list_once() {
        let items: Vec<String> = (0..7).map(|i| format!("n{i}")).collect();
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (part, next) = page(&items, |name| name, 3, &token).unwrap();
            seen.extend(part);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(page(&items, |name| name, 3, "other").is_err());
        assert_eq!((page_size(0), page_size(9), page_size(9999)), (50, 9, 500));
    }
}
