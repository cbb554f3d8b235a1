//! How one record stands in a file: a mark, its length, when it came, a checksum over all
//! of that and over the record, then the record. Pure: bytes in, bytes out.
//!
//! A frame is whole or it is none: a tail that a crash tore off, or bytes that went bad on
//! the disk, never pass for a record.

use sha2::{Digest, Sha256};

/// What every frame begins with; its last byte is the form.
const MARK: [u8; 4] = *b"AFJ\x01";
/// Bytes of the checksum that are kept.
const SUM: usize = 8;
/// Bytes before the record: mark, length, instant, checksum.
pub(super) const HEAD: usize = 4 + 4 + 8 + SUM;

/// A record with the instant at which it came, in ms since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub at: i64,
    pub bytes: Vec<u8>,
}

/// The head of a frame, as far as it can be believed without its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub length: usize,
    pub at: i64,
    sum: [u8; SUM],
}

/// Puts a record in its frame; `None` where it is longer than a length can say.
pub(super) fn frame(at: i64, bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?;
    let mut framed = Vec::with_capacity(HEAD + bytes.len());
    framed.extend_from_slice(&MARK);
    framed.extend_from_slice(&length.to_le_bytes());
    framed.extend_from_slice(&at.to_le_bytes());
    framed.extend_from_slice(&sum(length, at, bytes));
    framed.extend_from_slice(bytes);
    Some(framed)
}

/// Reads a head; `None` where there is none.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let (mark, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (sum, _) = rest.split_first_chunk::<SUM>()?;
    (*mark == MARK).then_some(Head {
        length: u32::from_le_bytes(*length) as usize,
        at: i64::from_le_bytes(*at),
        sum: *sum,
    })
}

/// The record at the beginning of some bytes, and the length of its frame; `None` where no
/// whole and sound one is there.
pub(super) fn unframe(bytes: &[u8]) -> Option<(Record, usize)> {
    let head = head(bytes)?;
    let end = HEAD.checked_add(head.length)?;
    let record = bytes.get(HEAD..end)?;
    let length = u32::try_from(head.length).ok()?;
    (sum(length, head.at, record) == head.sum).then(|| {
        let bytes = record.to_vec();
        (Record { at: head.at, bytes }, end)
    })
}

/// Where the next whole frame begins after a place at which there is none.
pub(super) fn next(bytes: &[u8], after: usize) -> Option<usize> {
    let mut from = after + 1;
    loop {
        let rest = bytes.get(from..)?;
        let found = rest.windows(MARK.len()).position(|four| four == MARK)?;
        from += found;
        if unframe(&bytes[from..]).is_some() {
            return Some(from);
        }
        from += 1;
    }
}

fn sum(length: u32, at: i64, bytes: &[u8]) -> [u8; SUM] {
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    hash.update(at.to_le_bytes());
    hash.update(bytes);
    let whole = hash.finalize();
    let mut sum = [0; SUM];
    sum.copy_from_slice(&whole[..SUM]);
    sum
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_frame_is_whole_or_none() {
        let framed = frame(17, b"a delivery").unwrap();
        let (record, length) = unframe(&framed).unwrap();
        assert_eq!(
            (record.at, record.bytes.as_slice()),
            (17, &b"a delivery"[..])
        );
        assert_eq!(length, framed.len());
        for cut in 0..framed.len() {
            assert_eq!(unframe(&framed[..cut]), None, "cut at {cut}");
        }
        for bit in 0..framed.len() * 8 {
            let mut bad = framed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unframe(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn what_follows_damage_is_found() {
        let mut bytes = frame(1, b"one").unwrap();
        let second = bytes.len();
        bytes[HEAD] ^= 1;
        bytes.extend(frame(2, b"AFJ\x01").unwrap());
        assert_eq!(next(&bytes, 0), Some(second));
        // The mark inside the second record is no frame.
        assert_eq!(next(&bytes, second), None);
    }
}
