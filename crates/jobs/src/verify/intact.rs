//! Level 0: complete, unaltered, sealed by a known signer.

use std::path::Path;

use comity_provenance::bag::{BAG_INFO, Bag, BagError, BagInfo, BagKind, Checked};
use comity_provenance::seal::{self, SealError};
use comity_provenance::trust::{Role, Standing, TrustFile};
use comity_provenance::{PublicKey, Sha256Digest};

use super::{Climbed, Fault, Ladder, Stop};
use crate::bag::NAMESPACE;
use crate::progress::Progress;
use crate::{clock, sending};

/// A bag that is what its seal says.
pub(crate) struct Intact {
    pub(crate) checked: Checked,
    pub(crate) info: BagInfo,
    pub(crate) sealer: PublicKey,
    pub(crate) notes: Vec<String>,
}

impl Intact {
    /// What the bag says to hold.
    pub(crate) const fn kind(&self) -> BagKind {
        self.info.kind
    }

    /// The role that releases this kind of bag.
    pub(crate) fn releases(&self) -> Role {
        if self.kind() == BagKind::Feed { Role::Submitter } else { Role::Releaser }
    }

    /// Bytes of a payload file, as they were hashed; `None` where the bag has no such file.
    pub(crate) fn read(&self, path: &str, limit_bytes: u64) -> Climbed<Option<Vec<u8>>> {
        if !self.has(path) {
            return Ok(None);
        }
        Ok(Some(self.checked.read(path, limit_bytes)?))
    }

    /// The same, where the bag must have the file.
    pub(crate) fn needed(&self, path: &str, limit_bytes: u64) -> Climbed<Vec<u8>> {
        let missing = || Stop::Fault(Fault::new("payload-missing", format!("{path}: is not in the bag")));
        self.read(path, limit_bytes)?.ok_or_else(missing)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.checked.file(path).is_some()
    }

    /// Names of the payload files under a directory, without it.
    pub(crate) fn under<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, Sha256Digest, u64)> {
        let files = self.checked.payload().iter();
        files.filter_map(move |f| Some((f.path.strip_prefix(dir)?, f.sha256, f.bytes)))
    }
}

pub(crate) fn check(
    path: &Path,
    ladder: &mut Ladder,
    trust: Option<&TrustFile>,
    authority: Option<&Path>,
    now_s: i64,
    progress: &dyn Progress,
) -> Climbed<Intact> {
    let bag = Bag::open(path)?;
    progress.begin(&path.display().to_string(), Some(bag.payload_bytes()));
    let mut done = 0;
    let checked = bag.check(|bytes| {
        done += bytes;
        progress.bytes(done);
    })?;
    progress.check().map_err(Stop::Error)?;
    progress.end(&format!("{}: {} files, digests right", path.display(), checked.payload().len()));
    let info = checked.info().clone();
    ladder.kind = Some(info.kind.as_str());
    ladder.case = Some(info.external_identifier.clone());
    ladder.tagmanifest_sha256 = Some(Sha256Digest::of(checked.tag_manifest()));
    ladder.run_id = info.run;
    let armour = checked.seal().ok_or_else(|| Fault::new("unsealed", "the bag has no seal"))?;
    let armour =
        std::str::from_utf8(armour).map_err(|_| Fault::new("seal-malformed", "the seal is no text"))?;
    let sealer = seal::open(armour, checked.tag_manifest(), NAMESPACE)?;
    let mut intact = Intact { checked, info, sealer, notes: Vec::new() };
    let Some(trust) = trust else {
        return Err(Stop::Missing(format!(
            "the bag is whole and sealed by {}, whom nobody told you to trust: give --trust FILE",
            sealer.fingerprint()
        )));
    };
    // a seal whose key has ended since counts only by a witnessed time, never by the signer's own
    let at_s = match (intact.checked.time_stamp(), authority) {
        (Some(_), Some(authority)) => {
            let at_s = sending::stamped_at(path, authority).map_err(|e| Fault::new("time-stamp", e))?;
            intact.notes.push(format!("the seal was time-stamped at {}", clock::text_of(at_s)));
            at_s
        }
        (Some(_), None) => {
            intact.notes.push("the seal has a time stamp; --tsa FILE checks it".into());
            now_s
        }
        (None, _) => now_s,
    };
    let who = entitled(trust, &sealer, &[Role::Evidence], at_s)?;
    entitled(trust, &sealer, &[intact.releases(), Role::Releaser], at_s)?;
    intact.notes.push(format!("sealed by {who} ({})", sealer.fingerprint()));
    Ok(intact)
}

/// The one who holds a key, where the trust file gives it one of these roles now.
fn entitled(trust: &TrustFile, key: &PublicKey, roles: &[Role], now_s: i64) -> Climbed<String> {
    let mut worst = Standing::Unknown;
    for role in roles {
        match trust.standing(key, *role, Some(now_s)) {
            Standing::Trusted(entry) => return Ok(entry.principals().join(",")),
            other if matches!(worst, Standing::Unknown | Standing::WithoutRole) => worst = other,
            _ => {}
        }
    }
    let role = roles.first().map_or("signer", |r| r.namespace());
    let name = key.fingerprint();
    Err(Stop::Fault(match worst {
        Standing::Unknown => Fault::new(
            "unknown-signer",
            format!("sealed by {name}, which the trust file does not know: a claim"),
        ),
        Standing::Expired(_) | Standing::NotYetValid(_) => Fault::new(
            "expired-key",
            format!(
                "sealed by {name}, whose key is not valid now, and no witnessed time says that it was when it sealed"
            ),
        ),
        _ => Fault::new(
            "wrong-role",
            format!("sealed by {name}, to which the trust file does not give {role}"),
        ),
    }))
}

/// The word for a fault of the package.
pub(crate) fn kind_of(error: &BagError) -> &'static str {
    match error {
        BagError::Io { .. } | BagError::NotADirectory(_) => "unreadable",
        BagError::Name { .. } => "path",
        BagError::Collision { .. } => "path-collision",
        BagError::Link { .. } => "link",
        BagError::Special { .. } => "special-file",
        BagError::EmptyDirectory { .. } => "empty-directory",
        BagError::TooManyFiles { .. } | BagError::TooLarge { .. } => "too-large",
        BagError::Fetch => "fetch",
        BagError::OtherManifest { .. } => "second-manifest",
        BagError::NotAllowed { .. } => "tag-file",
        BagError::Absent { .. } | BagError::Missing { .. } => "payload-missing",
        BagError::Unlisted { .. } => "payload-extra",
        BagError::Misplaced { .. } => "manifest-path",
        BagError::Digest { .. } => "digest",
        BagError::Changed { .. } => "changed-while-read",
        BagError::NotUtf8 { path }
        | BagError::ByteOrderMark { path }
        | BagError::CarriageReturn { path }
        | BagError::NoLineEnd { path }
        | BagError::Line { path, .. } => {
            if *path == BAG_INFO {
                "bag-info"
            } else {
                "manifest-form"
            }
        }
        BagError::NotSorted { .. } => "manifest-order",
        BagError::Repeated { .. } => "manifest-repeated",
        BagError::Declaration => "bagit-txt",
        BagError::Oxum { .. } => "oxum",
        BagError::StampWithoutSeal => "unsealed",
        _ => "bag-info",
    }
}

/// The word for a fault of the seal.
pub(crate) const fn kind_of_seal(error: &SealError) -> &'static str {
    match error {
        SealError::Malformed => "seal-malformed",
        SealError::Altered => "seal-altered",
        SealError::Key(_) => "seal-key",
        SealError::Namespace { .. } => "wrong-namespace",
        SealError::Signature => "seal-false",
    }
}
