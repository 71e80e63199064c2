use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn header() -> LogitsHeader {
    LogitsHeader { first_shadow: 4, shadows: 3, records: 50_000, queries: 1, classes: 2, lost: vec![5] }
}

fn logits(shadow: usize, header: &LogitsHeader) -> Vec<f32> {
    let values = header.records as usize * header.classes as usize;
    (0..values).map(|i| if shadow == 1 { f32::NAN } else { (shadow * 1_000_000 + i) as f32 }).collect()
}

fn encoded(header: &LogitsHeader) -> Vec<u8> {
    let shadows: Vec<_> = (0..3).map(|shadow| logits(shadow, header)).collect();
    let views: Vec<&[f32]> = shadows.iter().map(Vec::as_slice).collect();
    encode(header, &views).unwrap()
}

#[test]
fn any_range_reads_back_from_memory_and_file() {
    let header = header();
    let bytes = encoded(&header);
    assert_eq!(bytes, encoded(&header), "the same logits give the same bytes");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    std::fs::write(&path, &bytes).unwrap();
    assert!(header.tiles() > 1);
    for reader in [LogitsReader::from_bytes(bytes.into()).unwrap(), LogitsReader::open(&path).unwrap()] {
        assert_eq!(reader.header(), &header);
        for range in [0..1, 49_999..50_000, 43_000..44_500, 0..50_000, 7..7] {
            let mut out = vec![0.0; (range.end - range.start) as usize * header.row()];
            reader.read(range.clone(), &mut out).unwrap();
            for (i, value) in out.iter().enumerate() {
                let (record, class, shadow) = (range.start as usize + i / 6, i / 3 % 2, i % 3);
                let expected = (shadow * 1_000_000 + record * 2 + class) as f32;
                assert!(if shadow == 1 { value.is_nan() } else { *value == expected });
            }
        }
        assert!(reader.read(0..50_001, &mut vec![0.0; 50_001 * 6]).is_err());
        assert!(reader.read(0..2, &mut [0.0; 6]).is_err());
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let header = header();
    let short = vec![0.0; 3];
    assert!(encode(&header, &[&short, &short, &short]).is_err());
    let empty = LogitsHeader { records: 0, ..header.clone() };
    assert!(encode(&empty, &[&[], &[], &[]]).is_err());
    let lost = LogitsHeader { lost: vec![7], records: 1, ..header };
    assert!(encode(&lost, &[&[0.0, 0.0], &[0.0, 0.0], &[0.0, 0.0]]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hostile_bytes_never_panic(
        cut in 0usize..400,
        changes in prop::collection::vec((0usize..400, any::<u8>()), 0..6),
    ) {
        let header = LogitsHeader { records: 9, lost: vec![], ..header() };
        let shadow = vec![1.0f32; 18];
        let mut bytes = encode(&header, &[&shadow, &shadow, &shadow]).unwrap();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 60));
        if let Ok(reader) = LogitsReader::from_bytes(Bytes::from(bytes)) {
            let records = reader.header().records.min(100);
            let mut out = vec![0.0; records as usize * reader.header().row().min(1 << 16)];
            let _ = reader.read(0..records, &mut out);
        }
    }
}
