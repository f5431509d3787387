//! Who may do what in a case; and the trust file that a partner may take over, once it has asked another way.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use comity_provenance::statement::{Descriptor, Details, EventType};
use comity_provenance::trust::{Entry, Role, TrustFile, Validity};
use comity_provenance::{PublicKey, SecretKey, Sha256Digest};
use comity_store::StoreError;
use comity_store::case::{Case, Identity};
use comity_store::journal::Log;

pub use comity_store::case::{Member, MemberRole};

use crate::custody::{self, CASE_MEMBER, Draft, record, role_of};
use crate::progress::Progress;
use crate::steps::plain_text;
use crate::{JobError, clock};

/// Adds a member. The first ones of a case are added by the machine alone; once it has a custodian, one
/// has to sign.
///
/// # Errors
/// Where the name or key is taken, a custodian's key is missing, or the disk refuses.
pub fn add(
    case: &Case,
    member: &Member,
    signer: Option<&SecretKey>,
    progress: &dyn Progress,
) -> Result<(), JobError> {
    entry_of(member)?;
    plain_text("name", &member.name)?;
    plain_text("organisation", &member.organisation)?;
    if let Some(known) = case.identity().members.iter().find(|m| m.key == member.key && m.role == member.role)
    {
        return Err(JobError::Nothing(format!(
            "the key is a member already: {}, {}",
            known.name,
            known.role.as_str()
        )));
    }
    let custodian = custodian(case, signer, "a member is added")?;
    custody::acting(case, progress, |scribe| {
        let key = Descriptor::new("key", Sha256Digest::of(&member.key.wire()));
        let mut draft = Draft::new(EventType::Membership, vec![key], Details::default());
        draft.records = vec![record(CASE_MEMBER, member)?];
        draft.member = custodian;
        let keys: Vec<&SecretKey> = signer.into_iter().collect();
        let statement = scribe.event(draft, &keys)?;
        let mut identity: Identity = case.identity().clone();
        identity.members.push(member.clone());
        scribe.commit(&[statement], vec![case.stage_identity(&identity)?])
    })
}

/// Revokes a member's key, from a time on.
///
/// # Errors
/// Where no member has that name, a custodian's key is missing, or the disk refuses.
pub fn revoke(
    case: &Case,
    name: &str,
    since: Option<&str>,
    signer: Option<&SecretKey>,
    progress: &dyn Progress,
) -> Result<(), JobError> {
    let since = since.map(clock::time_of).transpose()?;
    let wrong = || JobError::Nothing(format!("no member is called {name:?}; `comity member list` shows all"));
    let member = case.identity().members.iter().find(|m| m.name == name).ok_or_else(wrong)?;
    let custodian = custodian(case, signer, "a key is revoked")?;
    custody::acting(case, progress, |scribe| {
        let key = Descriptor::new("key", Sha256Digest::of(&member.key.wire()));
        let details = since.map_or_else(Details::default, |since| Details::Revocation { since });
        let mut draft = Draft::new(EventType::Revocation, vec![key], details);
        draft.member = custodian;
        let keys: Vec<&SecretKey> = signer.into_iter().collect();
        let statement = scribe.event(draft, &keys)?;
        let mut identity: Identity = case.identity().clone();
        let until = since.map_or_else(clock::now, |since| since.to_string());
        for known in identity.members.iter_mut().filter(|m| m.key == member.key) {
            known.valid_until = Some(until.clone());
        }
        scribe.commit(&[statement], vec![case.stage_identity(&identity)?])
    })
}

/// The custodian whose key it is; nobody where the case has no custodian yet.
pub(crate) fn custodian<'a>(
    case: &'a Case,
    signer: Option<&SecretKey>,
    act: &str,
) -> Result<Option<&'a Member>, JobError> {
    let refused = |why: String| JobError::Refused {
        message: format!("{act} by a custodian of the case: {why}"),
        hint: "give --key FILE, a custodian's private key; `comity member list` shows who is".into(),
    };
    let custodians = || case.identity().members.iter().filter(|m| m.role == MemberRole::Custodian);
    match signer.map(|key| (key, custodians().find(|m| m.key == key.public()))) {
        Some((_, Some(member))) => Ok(Some(member)),
        Some((key, None)) => Err(refused(format!("{} is none", key.public().fingerprint()))),
        None if custodians().next().is_none() => Ok(None),
        None => Err(refused("no key was given".into())),
    }
}

/// The trust file that would trust this case as it says of itself: its machine, its log, its members.
///
/// # Errors
/// Where the case's keys or members do not read.
pub fn trust_text(case: &Case) -> Result<String, JobError> {
    let (node, log) = (case.node_key()?.public(), case.log_key()?.public());
    let always = Validity::default();
    let wrong = |e: comity_provenance::trust::TrustProblem| JobError::Nothing(e.to_string());
    let principal = format!("node.{}", Sha256Digest::of(&node.wire()).short());
    let mut entries = vec![
        Entry::new(vec![principal], BTreeSet::from([Role::Node]), always, node).map_err(wrong)?,
        Entry::new(vec![Log::origin(case, &log)], BTreeSet::from([Role::Log]), always, log).map_err(wrong)?,
    ];
    for member in &case.identity().members {
        entries.push(entry_of(member)?);
    }
    Ok(entries.into_iter().collect::<TrustFile>().to_text())
}

/// A member as a line of a trust file. Who releases also seals, and who submits does so for feeds.
fn entry_of(member: &Member) -> Result<Entry, JobError> {
    let mut roles = BTreeSet::from([role_of(member.role)]);
    if matches!(member.role, MemberRole::Releaser | MemberRole::Submitter) {
        roles.insert(Role::Evidence);
    }
    let seconds = |text: &Option<String>| -> Result<Option<i64>, JobError> {
        text.as_ref().map(|t| Ok(clock::time_of(t)?.as_second())).transpose()
    };
    let validity = Validity { after: seconds(&member.valid_from)?, before: seconds(&member.valid_until)? };
    Entry::new(vec![member.name.clone()], roles, validity, member.key)
        .map_err(|e| JobError::Nothing(format!("member {:?}: {e}", member.name)))
}

/// A private key of a person, from a file of OpenSSH's.
///
/// # Errors
/// Where it does not read, or is behind a passphrase.
pub fn private_key(path: &Path) -> Result<SecretKey, JobError> {
    let text = fs::read_to_string(path).map_err(|e| StoreError::io(path, e))?;
    SecretKey::from_openssh(&text).map_err(|source| StoreError::Key { path: path.to_owned(), source }.into())
}

/// A public key, from a file of OpenSSH's.
///
/// # Errors
/// Where it does not read.
pub fn public_key(path: &Path) -> Result<PublicKey, JobError> {
    let text = fs::read_to_string(path).map_err(|e| StoreError::io(path, e))?;
    text.trim_end().parse().map_err(|source| StoreError::Key { path: path.to_owned(), source }.into())
}

/// Writes what a command made to a file that is not there yet.
///
/// # Errors
/// Where it is there, or the disk refuses.
pub fn write_out(path: &Path, bytes: &[u8]) -> Result<(), JobError> {
    let write = |mut file: fs::File| file.write_all(bytes).and_then(|()| file.sync_all());
    fs::File::create_new(path).and_then(write).map_err(|e| StoreError::io(path, e).into())
}
