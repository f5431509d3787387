//! `completions` and `man`, generated from the command line itself.

use std::fs;
use std::io::{self, Write};

use clap_mangen::Man as Page;
use comity_jobs::summary::plain;

use crate::args::{Completions, Man};
use crate::status::{Failure, Outcome, Status};

pub(super) fn completions(args: &Completions) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "comity", &mut text);
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(Status::Done)
}

pub(super) fn man(args: &Man) -> Outcome {
    let wrong =
        |e: io::Error| Failure::Write(io::Error::new(e.kind(), format!("{}: {e}", args.dir.display())));
    fs::create_dir_all(&args.dir).map_err(wrong)?;
    let mut command = crate::command();
    command.build();
    let pages = write_pages(&command, "comity", args).map_err(wrong)?;
    writeln!(io::stdout(), "{pages} man pages are in {}", plain(&args.dir.display().to_string()))?;
    Ok(Status::Done)
}

/// Writes the page of a command, and of those under it: `comity-feed-check.1`.
fn write_pages(command: &clap::Command, name: &str, args: &Man) -> io::Result<usize> {
    let mut text = Vec::new();
    let title: &'static str = name.to_owned().leak();
    Page::new(command.clone().name(title)).render(&mut text)?;
    fs::write(args.dir.join(format!("{name}.1")), text)?;
    let mut pages = 1;
    for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
        pages += write_pages(sub, &format!("{name}-{}", sub.get_name()), args)?;
    }
    Ok(pages)
}
