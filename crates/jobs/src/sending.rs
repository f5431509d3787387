//! A bag as one file, there and back; and the time stamp over its seal.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use comity_provenance::bag::{SEAL, TIME_STAMP};
use comity_store::StoreError;
use comity_store::case::Case;
use comity_store::durable::Stage;

use crate::JobError;
use crate::bag::{self, Created, Order, stage_beside};
use crate::progress::Progress;
use crate::transport::{self, Form, Limits, TransportError};

/// Name of the directory within a tar file; it is dropped on opening.
const BASE: &str = "bag";

/// Makes a bag as one tar file, encrypted where there are recipients of age (`age1…`).
///
/// # Errors
/// As [`bag::create`]; and where a recipient is none.
pub fn create(
    case: &Case,
    order: &Order<'_>,
    recipients: &[String],
    progress: &dyn Progress,
) -> Result<Created, JobError> {
    if fs::symlink_metadata(order.out).is_ok() {
        return Err(StoreError::io(order.out, std::io::ErrorKind::AlreadyExists.into()).into());
    }
    let stage: Stage = stage_beside(order.out)?;
    let dir = stage.path().join(BASE);
    let created = bag::create(case, &Order { out: &dir, ..order.clone() }, progress)?;
    let file = stage.create("file")?;
    let wrap = |source| JobError::Transport(source);
    match recipients.is_empty() {
        true => transport::pack(&dir, BASE, &file).map_err(wrap)?,
        false => transport::pack_encrypted(&dir, BASE, recipients, &file).map_err(wrap)?,
    }
    file.sync_all()
        .and_then(|()| fs::rename(stage.path().join("file"), order.out))
        .and_then(|()| {
            File::open(order.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
                .sync_all()
        })
        .map_err(|e| StoreError::io(order.out, e))?;
    Ok(Created { bag: order.out.to_owned(), ..created })
}

/// Unpacks a bag that came as one file; gives the number of files. Nothing is checked but that it can be unpacked safely.
///
/// # Errors
/// Where the archive is not as it must be, or `out` is there already; then nothing is left.
pub fn open(file: &Path, out: &Path, identity: Option<&Path>) -> Result<u64, JobError> {
    transport::unpack(file, identity, out, Limits::default())?;
    let files = comity_provenance::bag::files(out)?;
    Ok(files.len() as u64)
}

/// Whether a file is a bag in one file.
///
/// # Errors
/// Where it can't be read.
pub fn is_packed(file: &Path) -> Result<bool, JobError> {
    match transport::detect(file) {
        Ok(Form::Tar | Form::Age) | Err(TransportError::Armour(_)) => Ok(true),
        Ok(Form::Directory) | Err(TransportError::UnknownForm(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Puts an RFC 3161 token over the seal beside it.
///
/// # Errors
/// Where the bag has no seal or a token already, or the disk refuses.
pub fn stamp(dir: &Path, token: &Path) -> Result<(), JobError> {
    let seal = dir.join(SEAL);
    fs::metadata(&seal).map_err(|e| StoreError::io(&seal, e))?;
    let bytes = fs::read(token).map_err(|e| StoreError::io(token, e))?;
    crate::members::write_out(&dir.join(TIME_STAMP), &bytes)
}

/// The time at which an authority stamped the seal of a bag, seconds since 1970 UTC, by `openssl ts`; the certificates
/// that the verifier trusts for it are in `authority`.
///
/// # Errors
/// Why the token does not hold, in a sentence.
pub(crate) fn stamped_at(dir: &Path, authority: &Path) -> Result<i64, String> {
    let (seal, token) = (dir.join(SEAL), dir.join(TIME_STAMP));
    let text = openssl(Command::new("openssl").args(["ts", "-reply", "-text", "-in"]).arg(&token))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Time stamp: "));
    let line = line.ok_or("openssl finds no time in the token")?;
    // "Nov 25 16:00:00.123 2026 GMT": parts of a second say nothing here
    let whole = line.split('.').next().unwrap_or(line);
    let year = line.trim_end_matches(" GMT").rsplit(' ').next().unwrap_or_default();
    let time = if whole.len() < line.len() { format!("{whole} {year} GMT") } else { line.to_owned() };
    let time = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y GMT", &time)
        .and_then(|time| jiff::tz::TimeZone::UTC.to_timestamp(time))
        .map_err(|_| format!("time {line:?} of the token is no time"))?;
    let at_s = time.as_second();
    let mut verify = Command::new("openssl");
    verify.args(["ts", "-verify", "-attime", &at_s.to_string(), "-data"]).arg(&seal);
    openssl(verify.arg("-in").arg(&token).arg("-CAfile").arg(authority))?;
    Ok(at_s)
}

fn openssl(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("openssl can't be run: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("openssl: {}", said.lines().last().unwrap_or("the token does not hold"))),
    }
}
