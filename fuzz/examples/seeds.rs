//! Makes the seeds of `dataset` and `logits` from the other seeds, by the project's own writers.

use std::path::Path;

use umbra_data::logits::{LogitsHeader, encode};
use umbra_data::{Schema, import};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for name in ["csv", "csv-least"] {
        let whole = std::fs::read(seeds.join("import").join(name))?;
        let at = whole.windows(5).position(|window| window == b"\n---\n").ok_or("no line between")?;
        let schema = Schema::parse(std::str::from_utf8(&whole[..at])?, "SCHEMA.toml")?;
        let folder = tempfile::tempdir()?;
        let table = folder.path().join("table.csv");
        std::fs::write(&table, &whole[at + 5..])?;
        std::fs::write(seeds.join("dataset").join(name), import(&table, &schema)?.bytes)?;
    }
    for name in ["several", "leads", "medmnist"] {
        let whole = std::fs::read(seeds.join("array").join(name))?;
        let at = whole.windows(5).position(|window| window == b"\n---\n").ok_or("no line between")?;
        let schema = Schema::parse(std::str::from_utf8(&whole[..at])?, "SCHEMA.toml")?;
        let folder = tempfile::tempdir()?;
        let archive = folder.path().join("arrays.npz");
        std::fs::write(&archive, &whole[at + 5..])?;
        std::fs::write(seeds.join("dataset").join(format!("array-{name}")), import(&archive, &schema)?.bytes)?;
    }
    for (name, shadows, records, queries, classes, lost) in
        [("least", 1, 1, 1, 1, vec![]), ("classes", 2, 30, 2, 3, vec![5]), ("tiles", 4, 70_000, 1, 1, vec![])]
    {
        let header = LogitsHeader { first_shadow: 4, shadows, records, queries, classes, lost };
        let values = records as usize * (queries * classes) as usize;
        let value = |shadow: u32| if header.lost.contains(&shadow) { f32::NAN } else { 0.5 };
        let of = |shadow: u32| vec![value(shadow); values];
        let logits: Vec<Vec<f32>> = (4..4 + shadows).map(of).collect();
        let logits: Vec<&[f32]> = logits.iter().map(Vec::as_slice).collect();
        std::fs::write(seeds.join("logits").join(name), encode(&header, &logits)?)?;
    }
    Ok(())
}
