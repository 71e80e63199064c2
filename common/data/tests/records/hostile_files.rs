//! Manifests, images and WFDB records that are not what they should be.

use std::fs;
use std::path::Path;

use crate::outside::copied;
use crate::refused;

const IMAGES: &str = "kind = \"images\"\nlabel = \"y\"\n";
const WFDB: &str = "kind = \"wfdb\"\nlabel = \"y\"\nsamples = 60\n";

/// A manifest of two rows: a good file and this one.
fn with(manifest: &Path, good: &str, bad: &str) {
    fs::write(manifest, format!("path,y\n{good},0\n{bad},1\n")).unwrap();
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    let (folder, manifest) = copied("images", "");
    let outside = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("images/grey.png"), outside.path().join("x.png")).unwrap();
    let absolute = outside.path().join("x.png").display().to_string();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let no_path = "is no path inside the folder of the records: write it from there, without \"..\"";
    for path in [absolute.as_str(), &format!("../{name}/x.png"), "images/../../x.png", "/etc/passwd", ".."] {
        with(&manifest, "images/grey.png", path);
        let found = refused(&manifest, IMAGES);
        assert!(
            found.starts_with("m.csv: column \"path\", row 2: \"") && found.ends_with(no_path),
            "{found}"
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), folder.path().join("images/link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x.png"), folder.path().join("images/link.png"))
            .unwrap();
        for path in ["images/link/x.png", "images/link.png"] {
            with(&manifest, "images/grey.png", path);
            let found = refused(&manifest, IMAGES);
            assert!(
                found.ends_with("leads out of the folder of the records: copy the file into it"),
                "{found}"
            );
        }
        // A link that stays inside is a file like any other.
        std::os::unix::fs::symlink(
            folder.path().join("images/alpha.png"),
            folder.path().join("images/in.png"),
        )
        .unwrap();
        with(&manifest, "images/colour.png", "images/in.png");
        let kept = crate::import(&manifest, &format!("{IMAGES}channels = 3\n")).unwrap();
        assert_eq!(kept.shape.records, 2);
    }
    with(&manifest, "images/grey.png", "images");
    assert!(refused(&manifest, IMAGES).ends_with("\"images\" is no file"));
    with(&manifest, "images/grey.png", "images/absent.png");
    assert!(refused(&manifest, IMAGES).contains("row 2: \"images/absent.png\" cannot be read: "));
    let folder_key = refused(&manifest, &format!("{IMAGES}folder = \"../..\"\n"));
    assert!(folder_key.starts_with("S.toml:3: folder: \"../..\" is no path inside"), "{folder_key}");
    fs::write(&manifest, "path,y\nimages/grey.png,0\n,1\n").unwrap();
    let missing = "m.csv: column \"path\", row 2: the path is missing: fill it in, or drop the row";
    assert_eq!(refused(&manifest, IMAGES), missing);
    fs::write(&manifest, "file,y\nimages/grey.png,0\n").unwrap();
    assert_eq!(refused(&manifest, IMAGES), "S.toml:1: path: m.csv has no column \"path\"; it has file, y");
}

#[test]
fn images_that_are_none_are_refused() {
    let (folder, manifest) = copied("images", "");
    let png = fs::read(folder.path().join("images/colour.png")).unwrap();
    let jpeg = fs::read(folder.path().join("images/colour.jpg")).unwrap();
    let bad = folder.path().join("images/bad");
    let check = |bytes: &[u8], expected: &str| {
        fs::write(&bad, bytes).unwrap();
        with(&manifest, "images/grey.png", "images/bad");
        let found = refused(&manifest, IMAGES);
        assert!(found.starts_with("m.csv: column \"path\", row 2: ") && found.contains(expected), "{found}");
    };
    check(b"", "the file is empty");
    check(b"GIF89a", "neither a PNG nor a JPEG file: convert it to PNG");
    for length in (8..png.len() - 12).step_by(40) {
        check(&png[..length], "damaged or cut short");
    }
    for length in (20..jpeg.len() - 1).step_by(50) {
        check(&jpeg[..length], "damaged or cut short");
    }
    // Height and width in the frame header, claimed to be 20,000 each.
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 5;
    let mut vast = jpeg.clone();
    vast[frame..frame + 4].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    check(&vast, "it claims to have 20000 x 20000 pixels, more than 67108864 in all");
    // A header of 20,001 x 2^31-1 pixels.
    let mut large = png.clone();
    large[16..20].copy_from_slice(&0x7fff_ffffu32.to_be_bytes());
    check(&large, "the image");
    let mut flipped = png.clone();
    flipped[60] ^= 1;
    check(&flipped, "damaged or cut short");
    let small = image_of(3, 2);
    check(&small, "2 x 3 pixels, but the first image has 24 x 18: say size = [24, 18] to resize all");
}

fn image_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn wfdb_records_that_lie_are_refused() {
    let (folder, manifest) = copied("wfdb", ".hea");
    let header = fs::read_to_string(folder.path().join("wfdb/a16.hea")).unwrap();
    let samples = fs::read(folder.path().join("wfdb/a16.dat")).unwrap();
    let check = |header: &str, samples: &[u8], schema: &str, expected: &str| {
        fs::write(folder.path().join("wfdb/bad.hea"), header).unwrap();
        fs::write(folder.path().join("wfdb/bad.dat"), samples).unwrap();
        with(&manifest, "wfdb/a16", "wfdb/bad");
        let found = refused(&manifest, schema);
        let start = "m.csv: column \"path\", row 2: ";
        assert!(
            found.starts_with(start) && found.contains(expected) && found.lines().count() == 1,
            "{found}"
        );
    };
    let whole = "kind = \"wfdb\"\nlabel = \"y\"\n";
    let bad = header.replace("a16", "bad");
    check(
        &bad,
        &samples[..200],
        whole,
        "wfdb/bad.dat ends early: 200 bytes of samples where 366 are promised",
    );
    check(
        &bad,
        &samples[..200],
        WFDB,
        "wfdb/bad.dat ends early: 200 bytes of samples where 360 are promised",
    );
    let mut changed = samples.clone();
    changed[100] ^= 1;
    check(&bad, &changed, whole, "do not sum up to its checksum: the record was changed or damaged");
    let mut start = samples.clone();
    start[0] ^= 1;
    check(&bad, &start, WFDB, "I begins with ");
    let mut missing = samples.clone();
    missing[6..8].copy_from_slice(&i16::MIN.to_le_bytes());
    check(&bad, &missing, WFDB, "sample 2 of I is marked as missing");
    check(
        &bad.replace(" 100 61", " 100 1099511627776"),
        &samples,
        whole,
        "1099511627776 samples, the first record has 61",
    );
    check(&bad.replace(" 100 61", " 500 61"), &samples, whole, "sampled at 500 Hz, the first record at 100");
    check(
        &bad.replace(" 100 61", " 100 12"),
        &samples,
        WFDB,
        "it has 12 samples, fewer than samples = 60 asks for",
    );
    check(&bad.replace("/mV", "/uV"), &samples, whole, "I is in uV, in the first record in mV");
    check(
        &bad.replace("bad.dat", "../bad.dat"),
        &samples,
        whole,
        "signal 1: \"../bad.dat\" is not the name of a file",
    );
    check(
        &bad.replace("bad.dat", "/etc/passwd"),
        &samples,
        whole,
        "is not the name of a file beside the header",
    );
    check(&bad.replace("bad.dat", "absent.dat"), &samples, whole, "\"wfdb/absent.dat\" cannot be read: ");
    check(&bad.replace(" II", " aVR"), &samples, whole, "it has no lead II, as the first record has");
    check(&bad.replace("(0)", "(40000)"), &samples, whole, "a sample of I is beyond 16 bits");
    check(&bad.replace(" 16 ", " 61 "), &samples, whole, "the format \"61\" is not read");
    check("", &samples, whole, "the header is empty");
    check(
        &"\u{0}".repeat(2_000_000),
        &samples,
        whole,
        "\"wfdb/bad.hea\" has 2000000 bytes, more than 1048576",
    );
    with(&manifest, "wfdb/a16", "wfdb/none");
    assert!(refused(&manifest, whole).contains("\"wfdb/none.hea\" cannot be read: "));
    with(&manifest, "wfdb/a16", "wfdb/d16");
    assert!(
        refused(&manifest, whole)
            .ends_with("75 samples, the first record has 61: take the first of all with samples = N")
    );
    let lead = refused(&manifest, &format!("{WFDB}leads = [\"I\", \"V9\", \"I\"]\n"));
    let expected = [
        "S.toml:4: leads[1]: the first record has no such lead; it has I, II, V1",
        "S.toml:4: leads[2]: named twice: keep one",
    ];
    assert_eq!(lead.lines().collect::<Vec<_>>(), expected);
}
