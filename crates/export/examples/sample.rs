//! Writes the exports of the tests' dossiers, for outside validators and for the eye:
//! `cargo run -p comity-export --example sample -- DIR`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{env, fs, io};

use comity_export::{case_jsonld, report_html, ro_crate, verify_md};

fn main() -> io::Result<()> {
    let directory = env::args().nth(1).unwrap_or_else(|| ".".into());
    for (name, dossier) in
        [("findings", common::lantern()), ("feed", common::submission()), ("hostile", common::hostile())]
    {
        let at = format!("{directory}/{name}");
        for file in &dossier.files {
            // stand-ins: a crate's files have to be there
            let path = format!("{at}/{}", file.path);
            if name != "hostile" {
                fs::create_dir_all(path.rsplit_once('/').map_or("", |(parent, _)| parent))?;
                fs::write(path, "")?;
            }
        }
        fs::create_dir_all(&at)?;
        fs::write(format!("{at}/case.jsonld"), case_jsonld(&dossier))?;
        fs::write(format!("{at}/VERIFY.md"), verify_md(&dossier))?;
        fs::write(format!("{at}/report.html"), report_html(&dossier))?;
        fs::write(format!("{at}/ro-crate-metadata.json"), ro_crate(&dossier))?;
    }
    Ok(())
}
