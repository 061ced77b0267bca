//! The framing of gzip: what is unpacked is what an independent reader unpacks, and only whole files are.

#![no_main]

use arbitrary::Arbitrary;
use archive_connectors::{
    ErrorKind,
    fuzzing::{Unpacked, unpack},
};
use archive_formats::Sha256;
use archive_fuzz::{crc32, independent_gunzip, inflate, scratch_file};
use libfuzzer_sys::fuzz_target;

/// A file of gzip members.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    members: Vec<Member<'a>>,
    /// Bytes after the last member.
    rest: &'a [u8],
    /// Bytes that are missing at the end.
    cut: u8,
    /// A byte that is replaced.
    damage: Option<(u16, u8)>,
    block: u16,
}

#[derive(Arbitrary, Debug)]
struct Member<'a> {
    flags: u8,
    extra: &'a [u8],
    name: &'a [u8],
    comment: &'a [u8],
    header_checksum: Option<u16>,
    content: Content<'a>,
    /// Added to the checksum and to the length.
    wrong: (bool, u8),
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    /// Compressed at this level.
    Plain(u8, &'a [u8]),
    /// A stream of deflate, valid or not.
    Deflate(&'a [u8]),
}

fuzz_target!(|input: Input| {
    let mut file = input.members.iter().take(4).flat_map(Member::bytes).collect::<Vec<_>>();
    file.extend_from_slice(input.rest);
    file.truncate(file.len() - usize::from(input.cut).min(file.len()));
    if let Some((place, byte)) = input.damage
        && !file.is_empty()
    {
        let place = usize::from(place) % file.len();
        file[place] = byte;
    }
    let path = scratch_file(&file);
    let unpacked = unpack(&path, input.block.into());
    if !file.starts_with(&[0x1f, 0x8b]) {
        let plain = unpacked.expect("no gzip");
        assert!(plain.content == file && !plain.is_one_gzip_member);
        return;
    }
    match (unpacked, independent_gunzip(&file)) {
        (Ok(unpacked), Some(members)) => check(&file, &unpacked, &members),
        (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Truncated, "{error}"),
        (Err(error), Some(members)) => panic!("{error}: {members:?}"),
        // The independent reader has a limit.
        (Ok(unpacked), None) => assert!(unpacked.content.len() > 1 << 20, "{unpacked:?}"),
    }
});

fn check(file: &[u8], unpacked: &Unpacked, members: &[Vec<u8>]) {
    let content = members.concat();
    assert!(unpacked.content == content);
    assert_eq!(unpacked.delivered_sha256, Sha256::digest(file));
    assert_eq!(unpacked.plain_sha256, Sha256::digest(&content));
    if members.len() == 1 {
        assert!(unpacked.is_one_gzip_member);
    } else {
        // Members after the first can only pass for one if all others are empty.
        let last = members.last().map_or(0, Vec::len);
        assert_eq!(unpacked.is_one_gzip_member, last == content.len());
    }
}

impl Member<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut flags = self.flags & 0b0001_1101;
        if self.header_checksum.is_some() {
            flags |= 2;
        }
        let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        if flags & 4 != 0 {
            let extra = &self.extra[..self.extra.len().min(1000)];
            bytes.extend(u16::try_from(extra.len()).expect("a short field").to_le_bytes());
            bytes.extend_from_slice(extra);
        }
        for (flag, text) in [(8, self.name), (16, self.comment)] {
            if flags & flag != 0 {
                bytes.extend(text.iter().filter(|byte| **byte != 0));
                bytes.push(0);
            }
        }
        if let Some(wrong) = self.header_checksum {
            let checksum = u16::try_from(crc32(&bytes) & 0xffff).expect("16 bits");
            bytes.extend((if wrong > 1000 { wrong } else { checksum }).to_le_bytes());
        }
        let stream = match self.content {
            Content::Plain(level, plain) => miniz_oxide::deflate::compress_to_vec(plain, level % 11),
            Content::Deflate(stream) => stream.to_vec(),
        };
        let (content, used) = inflate(&stream).unwrap_or_default();
        bytes.extend_from_slice(if used == 0 { &stream } else { &stream[..used] });
        bytes.extend((crc32(&content) ^ u32::from(self.wrong.0)).to_le_bytes());
        let length = u32::try_from(content.len()).expect("a short content");
        bytes.extend((length ^ u32::from(self.wrong.1 >> 4)).to_le_bytes());
        bytes
    }
}
