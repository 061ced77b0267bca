//! UUIDs in their canonical text.

use super::hex;
use crate::decode::fault::Fault;

/// The length of the text.
const LENGTH: usize = 36;

/// Where its dashes are.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// The sixteen bytes.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<[u8; 16], Fault> {
    bytes(text).ok_or(Fault::Spelling("a UUID"))
}

fn bytes(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != LENGTH || DASHES.iter().any(|dash| text[*dash] != b'-') {
        return None;
    }
    let mut uuid = [0; 16];
    let mut at = 0;
    for byte in &mut uuid {
        at += usize::from(DASHES.contains(&at));
        *byte = hex::byte([text[at], text[at + 1]])?;
        at += 2;
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        let uuid = "30313233-3435-3637-3839-616263646566";
        assert_eq!(parse(uuid.as_bytes()), Ok(*b"0123456789abcdef"));
        let texts = "|30313233343536373839616263646566|{30313233-3435-3637-3839-616263646566}|\
                     3031323334-35-3637-3839-616263646566|30313233-3435-3637-3839-6162636465|\
                     30313233-3435-3637-3839-61626364656F|30313233-3435-3637-3839-61626364656g|\
                     30313233-3435-3637-3839-616263646566 |-0313233-3435-3637-3839-616263646566";
        for text in texts.split('|') {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Spelling("a UUID")), "{text}");
        }
    }
}
